"""Keeps the minutes: parts for the days ahead are made, and days that have been kept for long enough dropped.

A day goes in one transaction: what its five minutes come to is frozen into hours and days (part -2, which
only grows), then the minutes are dropped. Whatever interrupts it, all of that has happened or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.sizes import SIZES, BucketSpan, Size, bucket_at
from spendmeter.book.timelines import read_timelines
from spendmeter.book.units import UNIT_PARTS
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("sql") / "minutes.sql", UNIT_PARTS)
AHEAD_DAYS = 7
INTERVAL_S = 60.0
DROP_INTERVAL_S = 600.0
"""A try takes seconds of a busy tenant's day, and keeps readers and bookings waiting for 200 ms at most."""
STATEMENT_S_MAX = 600.0
MADE = 0
FROZEN = -2
"""Parts of larger rollups: made of those a size below; and what these came to when they were dropped."""


@dataclass(kw_only=True, eq=False)
class MinuteDays:
    """Keeps minutes for `kept_days` for as long as `run` runs; any number of workers may."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    kept_days: int

    def __post_init__(self) -> None:
        self._drop_at_s = time.monotonic() + DROP_INTERVAL_S

    async def run(self) -> None:
        """Make and drop until cancelled."""
        await keep_doing(self._look, "days of minutes wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def _look(self) -> None:
        now = datetime.now(UTC)
        await self.make_ahead(now)
        if time.monotonic() >= self._drop_at_s:
            self._drop_at_s = time.monotonic() + DROP_INTERVAL_S  # however this ends
            if await self.drop_day(now):  # the next look may drop another: rollups are made in between
                self._drop_at_s = time.monotonic()

    async def make_ahead(self, now: datetime) -> None:
        """Make a part for each of the next days: an event whose day has none is not booked."""
        async with self.pool.acquire() as connection:
            await connection.execute(SQL["make"], AHEAD_DAYS)
            [standing] = await connection.fetch(SQL["standing"], self._kept_from(now))
        self.meters.set("spendmeter.ledger.minutes.ahead", standing["ahead"])
        self.meters.set("spendmeter.ledger.minutes.over", standing["over"])

    async def drop_day(self, now: datetime) -> bool:
        """Drop the oldest day if it is due; whether it was. Raises CONNECTION_ERRORS, also where somebody
        reads minutes, or books something as old meanwhile: then nothing has changed."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["time_limit"])
            await connection.execute(SQL["alone"])
            until = await connection.fetchval(SQL["next"], self._kept_from(now), timeout=STATEMENT_S_MAX)
            if until is None or await connection.fetchval(SQL["waits"], until):
                return False
            if await self._is_unlike(connection, until):
                return False
            tenants = [
                row["tenant"]
                for row in await connection.fetch(SQL["tenants"], until, timeout=STATEMENT_S_MAX)
            ]
            timelines = await read_timelines(connection, tenants)
            for tenant in tenants:
                await freeze(connection, tenant, until, timelines[tenant])
            await connection.execute(SQL["drop"], until, timeout=STATEMENT_S_MAX)
        log().info("minutes dropped", before=until.isoformat())
        return True

    async def _is_unlike(self, connection: Any, until: datetime) -> bool:
        """Whether some minutes were never rolled up, as of a ledger that left no marks; they get theirs."""
        rows = await connection.fetch(SQL["unlike"], until, timeout=STATEMENT_S_MAX)
        tenants = sorted({row["tenant"] for row in rows})
        if tenants:
            log().warning("minutes are not dropped: rollups do not hold them all", tenants=tenants)
            await connection.execute(SQL["mark"], until, tenants, timeout=STATEMENT_S_MAX)
        return bool(tenants)

    def _kept_from(self, now: datetime) -> datetime:
        return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self.kept_days)


async def freeze(connection: Any, tenant: str, until: datetime, timeline: Timeline) -> None:
    """Let the tenant's hours and days hold by themselves what came before `until`, and drop its five minutes.

    A bucket that reaches beyond keeps in part 0 what its five minutes from then on come to."""
    rows = await connection.fetch(SQL["buckets"], tenant, until, timeout=STATEMENT_S_MAX)
    for size in SIZES[1:]:
        buckets = sorted({bucket_at(size, row["bucket"], timeline) for row in rows})
        await _freeze(connection, tenant, size, buckets, until)
    await connection.execute(SQL["drop_five_minutes"], tenant, until, timeout=STATEMENT_S_MAX)


async def _freeze(
    connection: Any, tenant: str, size: Size, buckets: Sequence[BucketSpan], until: datetime
) -> None:
    starts = [bucket.start for bucket in buckets]
    ends = [min(bucket.end, until) for bucket in buckets]
    await connection.execute(SQL["add"], tenant, size, starts, starts, ends, FROZEN, timeout=STATEMENT_S_MAX)
    await connection.execute(
        SQL["take_away"], tenant, size, starts, [bucket.end for bucket in buckets], timeout=STATEMENT_S_MAX
    )
    for start, end in buckets:
        if end > until:
            await connection.execute(
                SQL["add"], tenant, size, [start], [until], [end], MADE, timeout=STATEMENT_S_MAX
            )
