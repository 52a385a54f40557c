"""Forgets identities of which no copy can come any more: the door takes no event of 400 days ago."""

from __future__ import annotations

import time
from dataclasses import dataclass

import asyncpg

from services.ledger.months import SQL
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters

ROWS_MAX = 10_000
"""At a time: a transaction of some tenths of a second."""
INTERVAL_S = 60.0
LOOK_S_MAX = 20.0


@dataclass(kw_only=True, eq=False)
class Forgetting:
    """Forgets for as long as `run` runs; any number of workers may."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters

    async def run(self) -> None:
        """Forget until cancelled."""
        await keep_doing(self.look, "forgetting waits", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def look(self) -> None:
        """Forget what is due, for a third of the time at most."""
        until_s = time.monotonic() + LOOK_S_MAX
        gone = ROWS_MAX
        while gone == ROWS_MAX and time.monotonic() < until_s:
            gone = await self.pool.fetchval(SQL["forget"], ROWS_MAX)
            self.meters.add("spendmeter.ledger.identities.forgotten", gone)
