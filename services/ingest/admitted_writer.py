"""Writes down which values a day has admitted, in the background: for other processes and the next one."""

import asyncio
from datetime import date

from services.ingest.admitted import SQL, AdmittedValues
from services.ingest.keys import AWAY
from spendmeter.platform.postgres import connect
from spendmeter.platform.retry import keep_doing

WRITE_S = 2.0
WRITE_S_MAX = 4.0
"""For what is written at once: what was written before stays so."""


class AdmittedValuesWriter:
    """Run `keep_writing` beside the server."""

    def __init__(self, url: str, admitted: AdmittedValues) -> None:
        self._url = url
        self._admitted = admitted
        self._forgotten = date.min

    async def keep_writing(self) -> None:
        """Write what was admitted every WRITE_S, for ever; while Postgres is away it waits in memory."""
        await keep_doing(self._write, "admitted values not written", every_s=WRITE_S, away=AWAY)

    async def _write(self) -> None:
        while taken := self._admitted.take_unwritten():
            try:
                async with asyncio.timeout(WRITE_S_MAX):
                    await self._write_down(taken)
            except BaseException:
                self._admitted.give_back(taken)
                raise

    async def _write_down(self, taken: list[tuple[str, date, str, str]]) -> None:
        connection = await connect(self._url, service="ingest")
        try:
            await connection.executemany(SQL["admit"], sorted(taken))  # two processes never wait in a circle
            if self._forgotten != self._admitted.day:
                await connection.execute(SQL["forget"], self._admitted.day)
                self._forgotten = self._admitted.day
        finally:
            connection.terminate()
