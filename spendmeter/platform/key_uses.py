"""When keys were last used: noted in memory by whoever checks them, and written down in the background.

No request waits for Postgres. What was noted in the last WRITE_S is lost with the process.
"""

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg

from spendmeter.platform.postgres import CONNECTION_ERRORS, connect
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql

WRITE_S = 10.0
WRITE_S_MAX = 5.0
AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.PostgresError)
SQL = load_sql(Path(__file__).with_name("keys.sql"))


class KeyUses:
    """Run `keep_writing` beside a server; `note` from any request. Holds one instant a key."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._seen: dict[str, datetime] = {}

    def note(self, key_id: str, now: datetime) -> None:
        """A live key was presented."""
        self._seen[key_id] = now

    async def keep_writing(self) -> None:
        """Write what was noted every WRITE_S, for ever; while Postgres is away it waits in memory."""
        await keep_doing(self._write, "uses of keys not written", every_s=WRITE_S, away=AWAY)

    async def _write(self) -> None:
        taken, self._seen = self._seen, {}
        if not taken:
            return
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                connection = await connect(self._url, service=self._service)
                try:
                    await connection.execute(
                        SQL["note_uses"], self._service, list(taken), list(taken.values())
                    )
                finally:
                    connection.terminate()
        except BaseException:
            self._seen = taken | self._seen
            raise
