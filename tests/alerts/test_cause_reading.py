"""What an incident is held against, and its explanation read from a real book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.cause import reader
from services.alerts.cause.explaining import explained
from services.alerts.cause.explanation import Explanation
from services.alerts.cause.finding import CauseFinder
from services.alerts.cause.reader import CauseQuestion, read_series
from services.alerts.cause.references import references
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book
from tests.alerts.test_fold import at_once

UTC_CALENDAR = Timeline()
BEGAN = datetime(2026, 11, 20, 10, 40, tzinfo=UTC)


def test_an_old_tenant_has_the_hour_before_and_seven_days() -> None:
    against = references(BEGAN, datetime(2026, 1, 1, tzinfo=UTC), UTC_CALENDAR)
    assert against.before == (BEGAN - timedelta(hours=1), BEGAN)
    assert against.days[0] == (datetime(2026, 11, 13, 10, tzinfo=UTC), datetime(2026, 11, 13, 11, tzinfo=UTC))
    assert against.length_of_days == timedelta(hours=7)


def test_a_young_tenant_has_what_there_was_of_it() -> None:
    against = references(BEGAN, datetime(2026, 11, 20, 10, 12, 30, tzinfo=UTC), UTC_CALENDAR)
    assert against.before == (datetime(2026, 11, 20, 10, 13, tzinfo=UTC), BEGAN)
    assert (against.days, against.length_of_days) == ([], timedelta())


def test_a_tenant_that_nobody_had_seen_has_no_past() -> None:
    assert references(BEGAN, None, UTC_CALENDAR).length_before == timedelta()


def test_days_are_of_the_clock_on_the_wall() -> None:
    # Berlin leaves summer time on 25 October: 9:40 UTC is 10:40 there on the 26th, and 8:40 UTC was on the 24th.
    berlin = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin")))])
    began = datetime(2026, 10, 26, 9, 40, tzinfo=UTC)
    days = references(began, datetime(2026, 1, 1, tzinfo=UTC), berlin).days
    assert [start.hour for start, _ in days] == [8, 8, 8, 8, 8, 8, 9]


@pytest.fixture
async def week(book: Book) -> datetime:
    """Two agents on two skus cost 1 a minute each, in 1 call of 100 input tokens; then two minutes pass. Agent a on s1
    makes twice the calls in these, each of 250 tokens, at twice the price: 4 calls, 1,000 tokens, 20."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    began = now - timedelta(minutes=2)
    await book.owner.execute("DELETE FROM cells")
    for agent in ("a", "b"):
        for sku in ("s1", "s2"):
            for ago in range(1, 8):
                await book.spend("60", began - timedelta(days=ago), agent=agent, sku=sku)
                await used(book, began - timedelta(days=ago), agent, sku, calls=60, tokens=6_000, amount="60")
            if (agent, sku) != ("a", "s1"):
                await book.spend("2", began, agent=agent, sku=sku)
                await used(book, began, agent, sku, calls=2, tokens=200, amount="2")
    await book.spend("20", began, agent="a", sku="s1")
    await used(book, began, "a", "s1", calls=4, tokens=1_000, amount="20")
    await book.owner.execute("UPDATE series SET first_seen = now() - interval '30 days'")
    return now


async def used(
    book: Book, minute: datetime, agent: str, sku: str, *, calls: int, tokens: int, amount: str
) -> None:
    """What this minute's row says was used, and what a projection says of it."""
    of = series_id(Series(provider="openai", sku=sku, agent=agent))
    await book.owner.execute(
        "UPDATE rollups_minute SET events = $3, input_tokens = $4 WHERE series_id = $1 AND bucket = $2",
        of, minute, calls, Decimal(tokens),
    )  # fmt: skip
    await book.owner.execute(
        "INSERT INTO cells VALUES ('acme', $1::date, $2, $3, '', '', false, 'USD', 'input_tokens', 'priced', '', '', '', "
        "'', 'USD', 'USD', $4, $5, $6, $6, $6, $6, $6, $6)",
        minute.astimezone(UTC).date(), of + minute.isoformat().encode(), of, calls, Decimal(tokens), Decimal(amount),
    )  # fmt: skip


def question(now: datetime, **scope: str) -> CauseQuestion:
    return CauseQuestion(
        tenant="acme",
        calendar=UTC_CALENDAR,
        currency="USD",
        scope=scope,
        began=now - timedelta(minutes=2),
        now=now,
    )


async def test_an_incident_is_explained_from_the_book(week: datetime, pool: asyncpg.Pool) -> None:
    told = await explained(pool, at_once, CauseFinder(), question(week))
    # Eight were expected, 2 of each; 26 were spent.
    assert (told.whole.actual, told.whole.expected, told.whole.excess) == (26, 8, 18)
    (cause,) = told.causes
    assert (cause.scope, cause.actual, cause.expected, cause.share) == ({"agent": "a", "sku": "s1"}, 20, 2, 1)
    assert cause.narrowed
    (contributor,) = told.contributors
    assert (contributor.scope, contributor.excess) == ({"agent": "a", "sku": "s1", "provider": "openai"}, 18)
    # 2 became 4 by calls; 1,000 tokens instead of 400 at 0.01 are 6 more; at 0.02 instead, 10 more.
    assert parts(told) == {"volume": 2, "mix": 0, "tokens_per_call": 6, "cache": 0, "price": 10, "unsplit": 0}


async def test_within_a_scope_only_that_is_looked_at(week: datetime, pool: asyncpg.Pool) -> None:
    told = await explained(pool, at_once, CauseFinder(), question(week, agent="a"))
    assert (told.whole.actual, told.whole.expected) == (22, 4)
    assert [cause.scope for cause in told.causes] == [{"sku": "s1"}]


async def test_what_has_no_price_by_unit_is_not_split(week: datetime, book: Book, pool: asyncpg.Pool) -> None:
    await book.owner.execute("DELETE FROM cells")
    told = await explained(pool, at_once, CauseFinder(), question(week))
    assert parts(told)["unsplit"] == told.split.change == 18


async def test_bills_and_corrections_of_another_currency_are_not_looked_at(
    week: datetime, book: Book, pool: asyncpg.Pool
) -> None:
    await book.spend("500", week - timedelta(minutes=1), key_id="bills")
    await book.spend("700", week - timedelta(minutes=1), currency="EUR")
    asked = CauseQuestion(
        tenant="acme",
        calendar=UTC_CALENDAR,
        currency="USD",
        scope={},
        began=week - timedelta(minutes=2),
        now=week,
        bill_keys=["bills"],
    )
    assert (
        sum(series.spans["now"].amount for series in (await read_series(pool, at_once, asked)).series) == 26
    )


async def test_beyond_the_bound_the_rest_is_one_leaf_without_names(
    week: datetime, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LARGEST_EXCESS", 1)
    monkeypatch.setattr(reader, "SERIES_MAX", 2)
    reading = await read_series(pool, at_once, question(week))
    assert sorted(len(series.dimensions) for series in reading.series) == [0, 3, 3]
    told = await explained(pool, at_once, CauseFinder(), question(week))
    assert (told.whole.actual, told.whole.expected) == (26, 8)


async def test_the_hour_before_counts_where_more_was_spent_in_it(
    week: datetime, book: Book, pool: asyncpg.Pool
) -> None:
    # For an hour a on s1 has cost 8 a minute already: 480 in all, so 16 of the 20 were expected.
    await book.spend("480", week - timedelta(minutes=30), agent="a", sku="s1")
    told = await explained(pool, at_once, CauseFinder(), question(week))
    assert (told.whole.actual, told.whole.expected) == (26, 22)


def parts(told: Explanation) -> dict[str, Decimal]:
    names: Sequence[str] = ("volume", "mix", "tokens_per_call", "cache", "price", "unsplit")
    return {name: getattr(told.split, name) for name in names}
