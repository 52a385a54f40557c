"""Adds up what each watched scope came to in each hour, from the hour's rollups: all of it at once, again
whenever these change. The roller and corrections leave a mark with what they change.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.units import UNIT_PARTS
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "scopes.sql", UNIT_PARTS)
INTERVAL_S = 5.0
HOURS_MAX = 200
"""Between two looks at what is due; each hour is a transaction."""
LINGER = timedelta(minutes=5)
"""After an hour changes: where late events trickle in it is added up so often, and not with each of them."""
IMPORT_RESTS = timedelta(seconds=15)
"""After a past hour changes of which nothing is added up yet: what is usual is to be known before the first
incident of a new tenant."""
REST = 1
"""So many times as long as it has worked it lets others work."""
VALUES_MAX = 200
"""Of a dimension in an hour: what is beyond has less than 1/200 of its money each."""
SKUS_MAX = 50
KEPT = timedelta(days=92)
FILLED = timedelta(days=60)
"""So much of what was there before the table is added up."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(kw_only=True, eq=False)
class ScopeHours:
    """Adds up for as long as `run` runs; where several workers run, one at a time does."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    linger: timedelta = LINGER

    async def run(self) -> None:
        """Add up until cancelled."""
        await keep_doing(self.make, "hours of scopes wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def make(self, now: datetime | None = None) -> int:
        """Hours that are due, the newest first, and where there are none a day from before; how many were."""
        now = now or datetime.now(UTC)
        made = 0
        past = now - 2 * HOUR
        for tenant, hour in await self.pool.fetch(SQL["due"], HOURS_MAX, self.linger, IMPORT_RESTS, past):
            began_s = time.monotonic()
            made += await self._make(tenant, hour, now)
            await asyncio.sleep(REST * (time.monotonic() - began_s))
        self.meters.add("spendmeter.ledger.scope_hours", made)
        return made or await self._look_for_missing(now)

    async def _make(self, tenant: str, hour: datetime, now: datetime) -> int:
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"]):
                return 0
            await connection.execute(SQL["take"], tenant, hour)
            await connection.execute(SQL["forget"], tenant, hour, now - KEPT)
            if hour >= now - KEPT:
                await connection.execute(SQL["make"], tenant, hour, VALUES_MAX, SKUS_MAX, OPERATOR)
        return 1

    async def _look_for_missing(self, now: datetime) -> int:
        """Mark a day of a tenant's hours that were made before there was a table for their scopes."""
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"]):
                return 0
            missing = await connection.fetchrow(SQL["missing"], now)
            if missing is None:
                return 0
            await self._mark(connection, missing["tenant"], missing["until"], now)
        return 1

    async def _mark(self, connection: Any, tenant: str, until: datetime, now: datetime) -> None:
        since = until - DAY
        await connection.execute(SQL["mark_missing"], tenant, since, until)
        if since < now - FILLED:
            await connection.execute(SQL["all_marked"], tenant)
        else:
            await connection.execute(SQL["marked"], tenant, since)
