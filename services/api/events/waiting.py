"""Waiting for the book to know of something: one look for all who wait of a tenant, and no connection held
between."""

import asyncio
import re
from pathlib import Path

from services.api.database.transactions import Database
from services.api.http.problems import HttpRefusal, invalid
from spendmeter.book.entry import ENTRY_PARTS
from spendmeter.platform.sql import load_sql

WAIT_S_MAX = 30.0
"""Longer than a booking takes when anything works; shorter than what stands between gives up after."""
LOOK_INTERVAL_S = 0.1
TENANT_WAITERS_MAX = 50
WAITERS_MAX = 500
"""Each is a task and a socket; a look for all of one tenant's is one statement."""

SQL = load_sql(Path(__file__).with_name("events.sql"), ENTRY_PARTS)

_DURATION = re.compile(r"(\d{1,5})(ms|s)", re.ASCII)


def wait_s(text: str) -> float:
    """Seconds in "5s" or "500ms". Raises HttpRefusal (422)."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise invalid("wait", "must be a duration with its unit, such as 5s or 500ms")
    seconds = int(match[1]) / (1000 if match[2] == "ms" else 1)
    if seconds > WAIT_S_MAX:
        raise invalid("wait", f"must be at most {WAIT_S_MAX:.0f}s")
    return seconds


class Waiters:
    """Who waits for what; the process's own, for tenants' looks are shared. `statement`: of the keys that it
    is given ($1), those that the book knows of."""

    def __init__(self, database: Database, statement: str = SQL["known"]) -> None:
        self._database = database
        self._statement = statement
        self._waiters: dict[str, dict[asyncio.Future[None], bytes | str]] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def waiting(self, tenant: str) -> int:
        """How many of the tenant's requests wait now."""
        return len(self._waiters.get(tenant, ()))

    async def until_known(self, tenant: str, key: bytes | str, seconds: float) -> None:
        """Return once the book knows of it (an event: booked, or not booked with a reason), or when the time
        is over. Raises HttpRefusal (429, 503) when too many wait, and what a look raises."""
        if self.waiting(tenant) >= TENANT_WAITERS_MAX:
            detail = f"at most {TENANT_WAITERS_MAX} requests of a tenant may wait at once"
            raise HttpRefusal(429, "Too many wait", detail, retry_after_s=1)
        if sum(map(len, self._waiters.values())) >= WAITERS_MAX:
            detail = f"{WAITERS_MAX} requests of all tenants wait already: ask without wait, or again"
            raise HttpRefusal(503, "Too many wait", detail, retry_after_s=1)
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = self._waiters.setdefault(tenant, {})
        mine[known] = key
        looking = self._looking.get(tenant)
        if looking is None:
            looking = self._looking[tenant] = asyncio.create_task(self._look(tenant, mine))
        try:
            await asyncio.wait({known, looking}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del mine[known]
        if looking.done() and not known.done():
            looking.result()  # it looks as long as anybody waits: it ended by an error, which is raised here

    async def _look(self, tenant: str, waiters: dict[asyncio.Future[None], bytes | str]) -> None:
        try:
            while waiters:
                async with self._database.reading(tenant) as connection:
                    rows = await connection.fetch(self._statement, list(set(waiters.values())))
                found = {row[0] for row in rows}
                for known, key in waiters.items():
                    if key in found and not known.done():
                        known.set_result(None)
                await asyncio.sleep(LOOK_INTERVAL_S)
        finally:
            del self._looking[tenant], self._waiters[tenant]
