"""Freezes minutes that were let go into hours and days (part -2, which only grows): some hours of a tenant at
a time, in a transaction of their own.

What is added there is what is taken away from minutes, by one statement: whatever is booked meanwhile is in
its minute, or in the frozen part, and has left its mark. So nothing of it waits until all is rolled up, and
who is killed goes on where the minutes are that are left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.sizes import BucketSpan, bucket_at
from spendmeter.book.timelines import read_timelines
from spendmeter.book.units import UNIT_PARTS
from spendmeter.contracts.terms import SINCE_EVER, Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "minutes.sql", UNIT_PARTS)
ROWS_MAX = 20_000
"""Of minutes, taken at once where an hour has no more: in these tenths of a second no rollups are made."""
REST = 3
"""So many times as long as it has worked it lets others work."""
STATEMENT_S_MAX = 600.0

Place = tuple[str, datetime]
"""A tenant, and the minute from which on its minutes are looked at: what comes after it is next."""
FIRST: Place = ("", SINCE_EVER)

LOCK_TRIES_MAX = 60
"""In a row at one place, while others have what is to be locked: some minutes, since one try waits for
seconds at most. Whoever is in the way is through, or ended by Postgres, long before."""
LOCK_REST_S = 1.0


@dataclass(kw_only=True)
class Reached:
    """How far a process has frozen: who was interrupted begins there, and not with all that is gone."""

    until: datetime = SINCE_EVER
    place: Place = FIRST

    def begin(self, until: datetime) -> Place:
        """Where what is before `until` is to be frozen from."""
        if until != self.until:
            self.until, self.place = until, FIRST
        return self.place


async def freeze(pool: asyncpg.Pool[asyncpg.Record], until: datetime, reached: Reached) -> None:
    """All minutes before `until`, which were let go. Raises CONNECTION_ERRORS; what is frozen stays so, and
    what came late behind the place that was reached is left to the next freezing."""
    place: Place | None = reached.begin(until)
    while place is not None:
        reached.place = place
        began_s = time.monotonic()
        place = await _freeze_patiently(pool, until, place)
        await asyncio.sleep(REST * (time.monotonic() - began_s))
    reached.place = FIRST


async def _freeze_patiently(
    pool: asyncpg.Pool[asyncpg.Record], until: datetime, place: Place
) -> Place | None:
    """As `freeze_next`, also where a minute is booked, or rollups are made, for longer than a lock waits."""
    for tries_left in reversed(range(LOCK_TRIES_MAX)):
        try:
            return await freeze_next(pool, until, place)
        except asyncpg.LockNotAvailableError:
            if not tries_left:
                raise
            await asyncio.sleep(LOCK_REST_S)
    raise AssertionError("the last try returns or raises")


async def freeze_next(pool: asyncpg.Pool[asyncpg.Record], until: datetime, place: Place) -> Place | None:
    """Those hours of a local day that come next; where the ones after them are, None = there are none."""
    async with pool.acquire() as connection:
        found = await _next_minutes(connection, until, place)
        if found is None:
            return None
        tenant, minute = found
        timeline = (await read_timelines(connection, [tenant]))[tenant]
        async with connection.transaction():
            await connection.execute(SQL["time_limit"])
            await connection.execute(SQL["alone"], timeout=STATEMENT_S_MAX)
            hours = await _hours(connection, tenant, minute, until, timeline)
            await _freeze(connection, tenant, hours, until, timeline)
    return tenant, min(hours[-1].end, until)


async def _next_minutes(connection: Any, until: datetime, place: Place) -> Any:
    """Whose, and from when: it may walk a day's rows that are gone. In a transaction of its own, so that
    nobody who drops minutes waits for it."""
    async with connection.transaction():
        await connection.execute(SQL["time_limit"])
        return await connection.fetchrow(SQL["next_minutes"], until, *place, timeout=STATEMENT_S_MAX)


async def _hours(
    connection: Any, tenant: str, minute: datetime, until: datetime, timeline: Timeline
) -> list[BucketSpan]:
    """From that of a minute on, whole ones but the last, which `until` may cut: as many as ROWS_MAX allow."""
    first, day = bucket_at("hour", minute, timeline), bucket_at("day", minute, timeline)
    end = min(day.end, until)
    full = await connection.fetchval(
        SQL["full_at"], tenant, first.start, end, ROWS_MAX, timeout=STATEMENT_S_MAX
    )
    if full is not None:
        end = max(first.end, bucket_at("hour", full, timeline).start)
    return list(_between(first, end, timeline))


def _between(first: BucketSpan, end: datetime, timeline: Timeline) -> Iterator[BucketSpan]:
    hour = first
    yield hour
    while hour.end < end:
        hour = bucket_at("hour", hour.end, timeline)
        yield hour


async def _freeze(
    connection: Any, tenant: str, hours: list[BucketSpan], until: datetime, timeline: Timeline
) -> None:
    since, last = hours[0].start, hours[-1]
    day, end = bucket_at("day", since, timeline), min(last.end, until)
    buckets = [*hours, day]
    sizes = [*("hour" for _ in hours), "day"]
    starts, ends = map(list, zip(*buckets, strict=True))

    async def execute(name: str, *values: Any) -> None:
        await connection.execute(SQL[name], tenant, *values, timeout=STATEMENT_S_MAX)

    await execute("freeze", since, end, sizes, starts, ends)
    await execute("drop_made", since, end, *day)
    if last.end > end:
        await execute("make_again", "hour", last.start, "five_minutes", end, last.end)
    await execute("make_again", "day", day.start, "hour", *day)
