"""A scheduler of accruals in a process of its own, which kills itself where it is told: `python -m ... WHERE AFTER`.

WHERE: `claimed` before ingest is asked, `sent` after it has taken a batch and before anybody says so, `amended` in the
midst of amends. AFTER: how many of these go well before. It ends by itself when nothing is due.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from services.api.assets.accruing import Accruing
from services.api.assets.door import AccrualDoor
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import Database, prepare
from spendmeter.contracts.corrections import CorrectionRequest
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.settings import Settings


class Fuse:
    """Kills the process at its place, once so much went well."""

    def __init__(self, where: str, after: int) -> None:
        self.where, self.left = where, after

    def at(self, place: str) -> None:
        if place == self.where:
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DeadlyDoor(AccrualDoor):
    def __init__(self, url: str, key: str, fuse: Fuse) -> None:
        super().__init__(url, key)
        self._fuse = fuse

    async def send(self, events: Any) -> None:
        self._fuse.at("claimed")
        await super().send(events)
        self._fuse.at("sent")


class DeadlyLog(CorrectionLog):
    def __init__(self, settings: Settings, fuse: Fuse) -> None:
        super().__init__(settings)
        self._fuse = fuse

    async def publish(self, request: CorrectionRequest) -> None:
        await super().publish(request)
        self._fuse.at("amended")


async def main(where: str, after: int) -> None:
    settings, fuse = Settings(), Fuse(where, after)
    url = settings.database_url.get_secret_value()
    pool = await create_pool(url, size_max=2, service="test", init=prepare)
    log = DeadlyLog(settings, fuse)
    door = DeadlyDoor(settings.ingest_url, settings.accrual_key.get_secret_value(), fuse)
    accruing = Accruing(Database(pool), door, log)
    while await accruing.turn():
        pass
    await log.aclose()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
