"""Budgets of a tenant that changes its currency: each period is summed in the money that it is in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.budgets.breaches import counters_needed, periods
from services.alerts.budgets.budgets import trouble
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import counter_key, edges
from services.alerts.rules import read_rules
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book
from tests.alerts.test_budgets import BUDGET
from tests.terms import counts_in

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
CALENDAR = Timeline([(DECEMBER, Terms(currency="EUR", zone=ZoneInfo("Europe/Berlin")))])
DOLLARS = replace(BUDGET, filter={}, period="month")
EUROS = replace(DOLLARS, id="b2", currency="EUR")


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("minutes_after", [2, 180])
async def test_dollars_count_until_the_change_and_euros_from_it_on(
    book: Book, pool: asyncpg.Pool, minutes_after: int
) -> None:
    """Read in the minutes after the change, and when the day before it is a whole part."""
    before, after = DECEMBER - timedelta(minutes=1), DECEMBER
    await book.spend("5", before)
    await book.spend("70", before, currency="EUR")
    await book.spend("3", after, currency="EUR")
    await book.spend("900", after)
    now = DECEMBER + timedelta(minutes=minutes_after)
    reader = CounterReader(pool, "acme", CALENDAR, at_once)
    november, december = CALENDAR.bounds("month", before), CALENDAR.bounds("month", after)
    since = counters_needed([EUROS], now, CALENDAR) | {counter_key({}, "USD"): november[0]}
    await reader.look(now, since)
    assert reader.counters.of(counter_key({}, "USD"), *november).effective == Decimal(5)
    assert reader.counters.of(counter_key({}, "EUR"), *december).effective == Decimal(3)


def test_days_are_the_old_zones_before_the_change_and_the_new_ones_after() -> None:
    cut = edges(DECEMBER - timedelta(days=1), DECEMBER + timedelta(days=2), CALENDAR)
    assert cut[:2] == [
        (DECEMBER - timedelta(days=1), DECEMBER), (DECEMBER, datetime(2026, 12, 1, 23, tzinfo=UTC)),
    ]  # fmt: skip
    assert [end for _, end in cut[:-1]] == [start for start, _ in cut[1:]]


def test_the_period_that_ends_with_the_change_is_still_watched_while_it_closes() -> None:
    soon = DECEMBER + timedelta(minutes=2)
    assert periods(DOLLARS, soon, CALENDAR) == [
        (datetime(2026, 11, 1, tzinfo=UTC), DECEMBER), (DECEMBER, datetime(2026, 12, 31, 23, tzinfo=UTC)),
    ]  # fmt: skip


async def test_a_budget_that_follows_a_change_of_currency_is_two_until_the_old_period_is_closed(
    book: Book, pool: asyncpg.Pool
) -> None:
    """1000 dollars until December, 900 euros from it on; another ends with the dollars."""
    await counts_in(book.owner, "acme", until=DECEMBER)
    await counts_in(book.owner, "acme", "EUR", since=DECEMBER)
    kept, closed = await book.budget("1000"), await book.budget("50")
    follow = "UPDATE budgets SET next_from = $2, next_amount = $3, next_currency = $4 WHERE id = $1"
    await book.owner.execute(follow, kept, DECEMBER, Decimal(900), "EUR")
    await book.owner.execute(follow, closed, DECEMBER, None, None)
    rules = (await read_rules(pool))["acme"]

    def watched(now: datetime) -> list[tuple[str, str, int, datetime]]:
        found = [
            (str(each.amount), each.currency, each.revision, start)
            for each in rules.budgets
            if not trouble(each, each.currency_of(rules.calendar, now))
            for start, _ in periods(each, now, rules.calendar)
        ]
        return sorted(found)

    november = datetime(2026, 11, 1, tzinfo=UTC)
    old = [("1000", "USD", 1, november), ("50", "USD", 1, november)]
    new = ("900", "EUR", 2, DECEMBER)
    assert watched(DECEMBER - timedelta(days=2)) == old
    assert watched(DECEMBER + timedelta(minutes=2)) == [*old, new], "what closes is watched for five minutes"
    assert watched(DECEMBER + timedelta(minutes=6)) == [new]
