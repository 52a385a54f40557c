"""A book of which periods are closed: what is asked for as api would, and done by the corrector's keeper."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal

import asyncpg

from services.corrector.closings.keeper import ClosingsKeeper
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from tests.corrector.written_book import Book
from tests.databases import SECRET

PeriodMoney = dict[date, tuple[int, Decimal]]
"""(events, effective) by accounting period."""


async def ask_to_close(owner: asyncpg.Connection, period: date, tenant: str = "acme") -> None:
    await owner.execute(
        "INSERT INTO period_closings (tenant, period, number, note, closed_by) SELECT $1, $2, 1 + count(*), '', 'a test' "
        "FROM period_closings WHERE tenant = $1 AND period = $2",
        tenant,
        period,
    )


async def reopen(owner: asyncpg.Connection, period: date, tenant: str = "acme") -> None:
    await owner.execute(
        "UPDATE period_closings SET reopened_at = clock_timestamp(), reopened_by = 'a test', reopen_reason = 'a test' "
        "WHERE tenant = $1 AND period = $2 AND reopened_at IS NULL",
        tenant,
        period,
    )


@asynccontextmanager
async def keeper_of(database: str) -> AsyncIterator[ClosingsKeeper]:
    pool = await create_pool(role_url(database, "corrector", SECRET), size_max=2, service="test")
    try:
        yield ClosingsKeeper(pool)
    finally:
        pool.terminate()


async def close_all(keeper: ClosingsKeeper) -> int:
    """Close all that is asked for: how many. A barrier waits for every transaction of the cluster, so also for those of
    tests that run beside this one."""
    closed, deadline = 0, time.monotonic() + 30
    while time.monotonic() < deadline:
        closed += await keeper.look()
        if not await keeper._pool.fetchval("SELECT count(*) FROM closed_periods WHERE closed_at IS NULL"):
            return closed
        await asyncio.sleep(0.05)
    raise AssertionError("a closing still waits after 30 s")


async def booked_by_period(book: Book) -> PeriodMoney:
    """What the entries say, by the accounting period that each names."""
    rows = await book.owner.fetch(
        "SELECT accounting_period, sum(CASE WHEN seq < 0 THEN 0 WHEN seq % 2 = 1 THEN -1 ELSE 1 END)::int AS events, "
        "sum(effective) AS effective FROM entries GROUP BY 1"
    )
    return {row["accounting_period"]: (row["events"], row["effective"]) for row in rows}


async def sums_at_close(book: Book) -> PeriodMoney:
    """What the last closing of each period wrote down."""
    rows = await book.owner.fetch(
        "SELECT DISTINCT ON (period) period, events, effective FROM closing_sums ORDER BY period, number DESC"
    )
    return {row["period"]: (row["events"], row["effective"]) for row in rows}


async def carried(book: Book) -> list[tuple[date, date, int, Decimal]]:
    """(its day, where it was booked, events, effective) of what was carried, in the order of booking."""
    rows = await book.owner.fetch(
        "SELECT (bucket AT TIME ZONE 'UTC')::date, accounting_period, events, effective FROM carried "
        "ORDER BY recorded_at, bucket, accounting_period"
    )
    return [tuple(row) for row in rows]
