"""Corrections add to every size of rollups themselves, by the tenant's calendar; on a real Postgres."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg

from spendmeter.book.adding import add_corrections, add_to_minutes
from spendmeter.book.rollup import RollupSum
from spendmeter.book.units import quantities_of
from spendmeter.contracts.terms import Terms, Timeline

NEPAL = Timeline([(None, Terms(zone=ZoneInfo("Asia/Kathmandu")))])
LATE, LATER = (datetime(2026, 11, 23, 18, minute, tzinfo=UTC) for minute in (14, 15))
"""The last minute of a Nepalese day, and the first of the next."""


def key(minute: datetime) -> tuple[str, datetime, str, str]:
    return "acme", minute, "5e", "USD"


def some(amount: str, **usage: int | Decimal) -> RollupSum:
    figure = Decimal(amount)
    return RollupSum(events=1, list=figure, contracted=figure, effective=figure, usage=usage)


async def rows(book: asyncpg.Connection) -> list[tuple[str, datetime, int, Decimal, dict[str, Decimal]]]:
    found = await book.fetch("SELECT * FROM rollups WHERE part = -1 ORDER BY size, bucket")
    return [
        (row["size"], row["bucket"], row["events"], row["effective"], quantities_of(row)) for row in found
    ]


async def test_a_correction_is_in_its_minute_and_in_each_larger_bucket_around_it(
    book: asyncpg.Connection,
) -> None:
    sums = {
        key(LATE): some("0.1", input_tokens=10, gb_months=Decimal("0.1")),
        key(LATER): some("0.2", input_tokens=20),
    }
    await add_corrections(book, sums, {"acme": NEPAL})
    await add_corrections(
        book, {key(LATE): some("0.4", gb_months=Decimal("0.2"), searches=0)}, {"acme": NEPAL}
    )
    late = (2, Decimal("0.5"), {"input_tokens": 10, "searches": 0, "gb_months": Decimal("0.3")})
    later = (1, Decimal("0.2"), {"input_tokens": 20})
    assert await rows(book) == [
        ("day", datetime(2026, 11, 22, 18, 15, tzinfo=UTC), *late),
        ("day", LATER, *later),
        ("five_minutes", datetime(2026, 11, 23, 18, 10, tzinfo=UTC), *late),
        ("five_minutes", LATER, *later),
        ("hour", datetime(2026, 11, 23, 17, 15, tzinfo=UTC), *late),
        ("hour", LATER, *later),
    ]
    minute = await book.fetchrow("SELECT * FROM rollups_minute WHERE bucket = $1", LATE)
    assert (minute["shard"], minute["version"], minute["events"], quantities_of(minute)) == (
        -1,
        2,
        2,
        late[2],
    )
    assert await book.fetchval("SELECT count(*) FROM touched") == 0
    changed = await book.fetch("SELECT day, part, generation FROM rolled ORDER BY day")
    assert [tuple(row) for row in changed] == [
        (date(2026, 11, 22), -1, 2), (date(2026, 11, 23), -1, 2),
    ]  # fmt: skip


async def test_minutes_of_one_bucket_are_one_row_of_it(book: asyncpg.Connection) -> None:
    early = LATE.replace(minute=12)
    await add_corrections(
        book, {key(LATE): some("1"), key(early): some("2", requests=3)}, {"acme": Timeline()}
    )
    five, minutes = datetime(2026, 11, 23, 18, 10, tzinfo=UTC), (2, Decimal(3), {"requests": 3})
    assert await rows(book) == [
        ("day", datetime(2026, 11, 23, tzinfo=UTC), *minutes),
        ("five_minutes", five, *minutes),
        ("hour", datetime(2026, 11, 23, 18, tzinfo=UTC), *minutes),
    ]


async def test_nothing_is_added_of_nothing(book: asyncpg.Connection) -> None:
    await add_to_minutes(book, 0, {})
    await add_corrections(book, {}, {})
    assert await rows(book) == []
