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


async def freeze(pool: asyncpg.Pool[asyncpg.Record], until: datetime) -> None:
    """All minutes before `until`, which were let go. Raises CONNECTION_ERRORS; what is frozen stays so."""
    place: Place | None = FIRST
    while place is not None:
        began_s = time.monotonic()
        place = await freeze_next(pool, until, place)
        await asyncio.sleep(REST * (time.monotonic() - began_s))


async def freeze_next(pool: asyncpg.Pool[asyncpg.Record], until: datetime, place: Place) -> Place | None:
    """Those hours of a local day that come next; where the ones after them are, None = there are none."""
    async with pool.acquire() as connection:
        found = await connection.fetchrow(SQL["next_minutes"], until, *place, timeout=STATEMENT_S_MAX)
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
