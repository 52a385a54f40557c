"""Makes the rollups above the minute from what bookings touched: each bucket as a whole, once it is over.

Nothing is added to a rollup twice or lost, because nothing is added: sums are absolute, of one snapshot, and
the marks that this snapshot saw go with it. What books meanwhile leaves a mark of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import asyncpg

from spendmeter.book.sizes import SIZES, BucketSpan, Size, bucket_at
from spendmeter.book.timelines import read_timelines
from spendmeter.book.units import UNIT_PARTS
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "roller.sql", UNIT_PARTS)
INTERVAL_S = 5.0
OVER = timedelta(seconds=30)
"""A bucket is made so long after its end: by then nearly all that belongs to it is booked."""
BUCKETS_MAX = 500
"""Of a size at once, the newest first: more would be one long transaction."""
LENGTHS: Mapping[Size, timedelta] = {
    "five_minutes": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
"""But where a clock is changed. What began later is not looked at: the days of 500 tenants that are not over
would leave no room for one that is."""
_tenant = itemgetter("tenant")


@dataclass(kw_only=True, eq=False)
class Roller:
    """Rolls up for as long as `run` runs; where several workers run, one at a time does."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters

    async def run(self) -> None:
        """Roll up until cancelled."""
        await keep_doing(self.roll_up, "rollups wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def roll_up(self, now: datetime | None = None) -> int:
        """Make touched buckets that are over, small ones first; how many were made."""
        before = (now or datetime.now(UTC)) - OVER
        made = 0
        for size in SIZES:
            rows = await self.pool.fetch(SQL["due"], size, before - LENGTHS[size], BUCKETS_MAX)
            by_tenant = {
                tenant: [row["bucket"] for row in of_tenant]
                for tenant, of_tenant in groupby(sorted(rows, key=_tenant), key=_tenant)
            }
            timelines = await read_timelines(self.pool, by_tenant)
            for tenant, starts in by_tenant.items():
                buckets = [bucket_at(size, start, timelines[tenant]) for start in starts]
                over = [bucket for bucket in buckets if bucket.end <= before]
                if over:
                    made += await self._make(tenant, size, over, timelines[tenant])
        self.meters.add("spendmeter.ledger.rollups", made)
        return made

    async def _make(self, tenant: str, size: Size, buckets: Sequence[BucketSpan], timeline: Timeline) -> int:
        """How many were made: none where another worker rolls up."""
        place = SIZES.index(size)
        larger = SIZES[place + 1] if place + 1 < len(SIZES) else None
        starts, ends = zip(*buckets, strict=True)
        parts_of = [bucket_at(larger, start, timeline).start if larger else None for start in starts]
        asked = (tenant, size, starts, ends, parts_of, larger)
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"]):
                return 0
            if place:
                return int(await connection.fetchval(SQL["make_of_rollups"], *asked, SIZES[place - 1]))
            return int(await connection.fetchval(SQL["make_of_minutes"], *asked))
