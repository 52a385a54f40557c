"""Odd hours and changed money on a real Postgres: each amount is read once, in its own hour and currency."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.season_reader import SeasonReader
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import counter_key
from services.alerts.hours.hour_reader import HourReader
from services.alerts.incidents.store import Store
from services.alerts.levels.level_reader import LevelReader
from services.alerts.scopes import TENANT
from services.alerts.silence.listening import Listening
from spendmeter.book.sizes import hours_between
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book
from tests.alerts.test_levels import opened_once
from tests.alerts.test_silence import sends

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
MOVES = Timeline([(NOVEMBER, Terms(zone=ZoneInfo("Asia/Kathmandu")))])
"""From UTC to a clock whose hours begin a quarter past UTC's."""
LORD_HOWE = Timeline([(None, Terms(zone=ZoneInfo("Australia/Lord_Howe")))])
"""Half an hour forward on 3 October 2026 at 15:30 UTC, and back on 3 April 2027 at 15:00."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    yield


async def came_to(book: Book, amounts: dict[datetime, str], currency: str = "USD") -> None:
    """Of the tenant, hour by hour as the ledger adds them up."""
    await book.owner.executemany(
        "INSERT INTO scope_hours (tenant, bucket, dimension, value, provider, sku, currency, events, unpriced_events, "
        "effective, of_which_provisional) VALUES ('acme', $1, 'tenant', '', 'openai', 'm', $2, 1, 0, $3, 0)",
        [(hour, currency, Decimal(amount)) for hour, amount in amounts.items()],
    )


async def test_the_hour_that_runs_has_no_minute_of_the_one_before_whatever_the_move(
    book: Book, pool: asyncpg.Pool
) -> None:
    """100 at 23:30, in UTC's last hour; 5 in the quarter until 00:15, which is the end of five o'clock in Kathmandu;
    7 in the hour from then on."""
    for amount, minute in (("100", "2026-10-31T23:30"), ("5", "2026-11-01T00:05"), ("7", "2026-11-01T00:20")):
        await book.spend(amount, at(minute))
    seen = []
    for now in ("2026-10-31T23:50", "2026-11-01T00:10", "2026-11-01T00:40"):
        reader = HourReader(pool, "acme", MOVES, MOVES.stretch(at(now)), at_once)
        running = await reader.read_on(at(now), [])
        assert running is not None
        seen.append((running.hour, running.amounts[TENANT].amount))
    assert seen == [(at("2026-10-31T23:00"), 100), (NOVEMBER, 5), (at("2026-11-01T00:15"), 7)]


async def test_hours_are_read_where_they_lie_on_both_sides_of_a_half_hour(
    book: Book, pool: asyncpg.Pool
) -> None:
    """One an hour, and a half in the half hour. In the four weeks before 10 October, 03:00 UTC: from 12 September
    03:30 on, the first that begins in them, 516 hours until 3 October 15:30, the half hour, and 155 from 16:00 on."""
    now = at("2026-10-10T03:20")
    await book.owner.execute("DELETE FROM scope_hours_missing")
    hours = hours_between(at("2026-09-01T00:00"), at("2026-10-10T03:00"), LORD_HOWE)
    await came_to(book, {hour: "0.5" if hour == at("2026-10-03T15:30") else "1" for hour in hours})
    reader = HourReader(pool, "acme", LORD_HOWE, LORD_HOWE.stretch(now), at_once)
    history = (await reader.histories([TENANT], at("2026-10-10T03:00")))[TENANT]
    assert list(history) == [hour for hour in hours if hour >= at("2026-09-11T03:00")]
    season = await SeasonReader(pool, "acme", LORD_HOWE, at_once).read(now)
    assert season.month == Decimal("671.5")
    assert [(each.before, each.this, each.after) for each in season.scopes] == [(1, 1, 1)]


async def test_of_another_currency_the_tenant_is_young(book: Book, pool: asyncpg.Pool) -> None:
    """Dollars for five weeks, euros since the day before yesterday."""
    now, euros = at("2026-11-03T10:20"), Timeline([(NOVEMBER, Terms(currency="EUR"))])
    await book.owner.execute("DELETE FROM scope_hours_missing")
    hours = hours_between(now - 35 * DAY, now - HOUR, euros)
    await came_to(book, {hour: "60" for hour in hours if hour < NOVEMBER})
    await came_to(book, {hour: "9" for hour in hours if hour >= NOVEMBER}, "EUR")
    season = await SeasonReader(pool, "acme", euros, at_once).read(now)
    assert (season.history_days, [each.this for each in season.scopes]) == (2, [9])
    assert season.month == 9 * 58  # two days and ten hours
    reader = HourReader(pool, "acme", euros, euros.stretch(now), at_once)
    assert await reader.known_since() == NOVEMBER


async def test_who_was_heard_in_an_hour_after_the_clock_jumped_was_heard_until_its_end(
    book: Book, pool: asyncpg.Pool
) -> None:
    """Every ten minutes until 00:40 UTC on 10 October; the hours of Lord Howe begin on the hour by then, five weeks ago
    at half past. Two and a half hours later none of its minutes is read: it was heard until 01:00."""
    now = at("2026-10-10T03:10")
    await sends(book, "k1", at("2026-10-10T00:45"), every=10 * MINUTE, days=40)
    heard = Listening(pool, "acme", {}, at_once)
    for hours in (0, 1):
        later = now + hours * HOUR
        await heard.hear(later, later, LORD_HOWE, [])
        source = heard.sources(later)["k1"]
        assert (source.habit.hours[-1], source.heard_until) == (
            at("2026-10-10T00:00"),
            at("2026-10-10T01:00"),
        )


async def test_what_a_source_spends_a_day_is_said_of_the_days_in_this_currency(
    book: Book, pool: asyncpg.Pool
) -> None:
    """In dollars for weeks, and for two days 48 euros a day: not the 2.74 that two days are of five weeks."""
    now, key = NOVEMBER + 2 * DAY, {"key_id": "k1"}
    euros = Timeline([(NOVEMBER, Terms(currency="EUR"))])
    await sends(book, "k1", NOVEMBER, every=HOUR, days=34)
    for hour in range(48):
        await book.spend("2", NOVEMBER + hour * HOUR, currency="EUR", team="ops", **key)
    await book.owner.execute("UPDATE series SET first_seen = $1", NOVEMBER - 34 * DAY)
    heard = Listening(pool, "acme", {}, at_once)
    await heard.hear(now, now, euros, [])
    assert heard.sources(now)["k1"].amount_a_day == 48


async def test_a_level_that_was_told_in_other_money_raises_nothing(
    book: Book, pool: asyncpg.Pool, store: Store
) -> None:
    told = opened_once()
    await store.open("acme", told.opened_at, lambda _: [told])
    for currency, number in (("USD", 1), ("EUR", 0)):
        calendar = Timeline([(None, Terms(currency=currency))])
        reader = LevelReader(pool, "acme", calendar, told.opened_at.date() - DAY, at_once)
        assert len(await reader.told()) == number


async def test_what_was_usual_in_a_burst_of_dollars_is_not_taken_for_what_is_usual_in_yen(
    book: Book, pool: asyncpg.Pool, store: Store
) -> None:
    """0.50 dollars a minute were usual when the burst was told; since then it is 75 yen in each of ten minutes."""
    now = datetime.now(UTC).replace(second=10, microsecond=0)
    for minute in range(1, 11):
        await book.spend("75", now - minute * MINUTE, currency="JPY", agent="a")
    burst = replace(
        opened_once(), kind="anomaly", scope={"agent": "a"}, began_at=now - 10 * MINUTE, hot_at=now,
        opened_at=now, expected_per_hour=Decimal(30),
    )  # fmt: skip
    await store.open("acme", now, lambda _: [burst])
    usual = {}
    async with Learner() as learner:
        for currency in ("USD", "JPY"):
            reader = MinuteReader(pool, "acme", currency, at_once, learner)
            await reader.look(now)
            usual[currency] = {scope: each.per_minute for scope, each in reader.learned.scopes.items()}
    assert (usual["USD"], usual["JPY"]["agent", "a"]) == ({}, 75)


@pytest.mark.parametrize("calendar", [MOVES, LORD_HOWE], ids=["moves", "half an hour"])
async def test_a_budgets_days_have_each_minute_once(
    book: Book, pool: asyncpg.Pool, calendar: Timeline
) -> None:
    """A power of two on each side of every quarter of an hour around midnight and the change: sums tell them apart."""
    change = NOVEMBER if calendar is MOVES else at("2026-10-03T15:30")
    minutes = [change + 15 * number * MINUTE - side * MINUTE for number in range(-4, 8) for side in (0, 1)]
    minutes += [calendar.bounds("day", change + side * DAY)[0] - MINUTE for side in (0, 1)]
    spent = {minute: Decimal(2**place) for place, minute in enumerate(minutes)}
    for minute, amount in spent.items():
        await book.spend(amount, minute)
    counted, now = counter_key({}, "USD"), change + 2 * DAY
    for reader_now in (change + 9 * MINUTE, change + 100 * MINUTE, now):
        reader = CounterReader(pool, "acme", calendar, at_once)
        await reader.look(reader_now, {counted: change - 2 * DAY}, change - 2 * DAY)
        for number in (-1, 0, 1):
            start, end = calendar.bounds("day", change + number * DAY)
            known = [amount for minute, amount in spent.items() if start <= minute < end]
            if start <= reader_now:
                assert reader.counters.of(counted, start, end).effective == sum(known), (reader_now, number)
