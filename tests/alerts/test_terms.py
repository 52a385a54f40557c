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

from services.alerts.counter_reader import CounterReader
from services.alerts.counters import edges
from services.alerts.verdicts import counted, periods, wanted
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book
from tests.alerts.test_budgets import BUDGET

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
    since = wanted([EUROS], now, CALENDAR) | {counted({}, "USD"): november[0]}
    await reader.look(now, since)
    assert reader.counters.of(counted({}, "USD"), *november).effective == Decimal(5)
    assert reader.counters.of(counted({}, "EUR"), *december).effective == Decimal(3)


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
