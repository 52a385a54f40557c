"""Incidents in Postgres: opened once by however many see it, followed, ended; memory always equals the book."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.alerts.budgets.breaches import budget_incident, counters_needed
from services.alerts.budgets.budgets import Budget
from services.alerts.counting.counter_reader import Allowance, CounterReader
from services.alerts.counting.counters import counter_key
from services.alerts.incidents.store import Store
from services.alerts.incidents.words import Wording
from services.alerts.rules import read_rules
from services.alerts.scopes import MINUTE
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.incidents import decode_incident
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book, transitions
from tests.alerts.test_budgets import BUDGET, FIGURES
from tests.terms import counts_in

UTC_ZONE = ZoneInfo("UTC")


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    """Nobody else waits for a turn."""
    yield


def opened(at: datetime, budget: Budget = BUDGET) -> Any:
    calendar = Timeline()
    bounds = budget.bounds(at, calendar)
    return Wording(zone=UTC_ZONE).with_words(budget_incident(budget, bounds, Decimal(100), FIGURES, at))


async def test_what_many_see_at_once_is_opened_once(book: Book, store: Store) -> None:
    now = datetime.now(UTC)
    await book.channel("https://example.com/a")
    await book.channel("https://example.com/b")
    await asyncio.gather(*(store.open("acme", now, lambda _: [opened(now)]) for _ in range(6)))
    assert len(await book.incidents()) == 1
    assert await transitions(book) == ["opened"] * 3  # two channels and the topic
    (known,) = await store.current("acme", now)
    assert known == replace(opened(now), scope=known.scope)
    body = await book.owner.fetchval("SELECT body FROM deliveries LIMIT 1")
    event = decode_incident(body)
    assert (event.incident_id, event.amount, event.threshold_percent) == (str(known.id), "51", "100")


async def test_an_update_of_a_stale_copy_changes_nothing(book: Book, store: Store) -> None:
    now = datetime.now(UTC)
    await store.open("acme", now, lambda _: [opened(now)])
    (known,) = await store.current("acme", now)
    later = replace(known, amount=Decimal(60), updated_at=now + timedelta(seconds=15))
    await store.update(known, later)
    await store.update(known, replace(later, amount=Decimal(55)))
    assert (await book.incidents())[0]["amount"] == 60
    await store.update(later, replace(later, updated_at=now + timedelta(seconds=30)))
    assert await transitions(book) == ["opened", "updated"]  # the topic's row, renewed


async def test_a_period_that_is_over_ends_its_incident_with_what_it_came_to(
    book: Book, pool: asyncpg.Pool, store: Store, watch: Any
) -> None:
    budget = await book.budget("10", period="day", team="search")
    earlier = datetime.now(UTC) - timedelta(days=2)  # yesterday may be closing still
    await book.spend("12.5", earlier, team="search", provisional="2.5")
    await book.spend("3", earlier, team="other")
    await book.spend("4", team="search")
    rules = (await read_rules(pool))["acme"]
    await store.open("acme", earlier, lambda _: [opened(earlier, rules.budgets[0])])
    await (await watch()).look("budgets")
    (incident,) = await book.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "its period is over")
    assert (incident["amount"], incident["of_which_provisional"]) == (Decimal("12.5"), Decimal("2.5"))
    assert incident["rule_id"] == str(budget)
    assert "came to 12.50 USD of 50.00 USD" in incident["summary"]
    assert "20 % of it is provisional" in incident["summary"]


async def test_terms_that_change_while_anomalies_are_looked_at_are_those_of_the_next_look(
    book: Book, pool: asyncpg.Pool, watch: Any
) -> None:
    made = await watch()
    await counts_in(book.owner, "acme", zone="Asia/Tokyo")
    rules = (await read_rules(pool))["acme"]
    looking = asyncio.create_task(made.look("anomalies"))
    await asyncio.sleep(0)  # it has asked the book and waits for the answer
    made.apply_rules(rules)
    await looking
    await made.look("anomalies")


async def test_an_anomaly_ends_when_it_is_quiet_and_what_its_scope_does_then_is_told_as_a_repeat(
    book: Book, watch: Any
) -> None:
    now = datetime.now(UTC)
    for minute in range(1, 12):
        await book.spend("1", now - timedelta(minutes=minute), agent="a")
    await book.spend("40", agent="a")
    made = await watch()
    look = partial(made.look, "anomalies")
    await look()
    (incident,) = await book.incidents()
    assert (incident["kind"], incident["scope"]) == ("anomaly", {"agent": "a"})
    gone = await book.owner.fetch(
        "DELETE FROM rollups_minute WHERE bucket >= now() - interval '2 minutes' RETURNING bucket"
    )
    for row in gone:
        # As a total would: a minute that is over is not read again at every look.
        made.wake(BucketSpan(row["bucket"], row["bucket"] + MINUTE))
    await look()
    assert (await book.incidents())[0]["state"] == "open"  # quiet, but not for long enough
    await book.owner.execute("UPDATE incidents SET hot_at = now() - interval '6 minutes'")
    await look()
    (incident,) = await book.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "nothing unusual for 5 minutes")
    await book.spend("40", agent="a")
    await look()
    assert [(each["state"], each["repeats"]) for each in await book.incidents()] == [("open", 1)]
    assert await transitions(book) == ["opened", "resolved", "repeated"]
    await book.owner.execute("DELETE FROM deliveries")
    await book.owner.execute(  # the same, but it was over yesterday
        "UPDATE incidents SET state = 'resolved', resolved_at = now() - interval '25 hours', "
        "hot_at = hot_at - interval '25 hours', episode = episode - 20, "
        "began_at = began_at - interval '25 hours', id = gen_random_uuid()"
    )
    await look()
    assert [each["state"] for each in await book.incidents()] == ["resolved", "open"]


async def test_one_tenants_unknown_zone_blinds_no_other(book: Book, pool: asyncpg.Pool) -> None:
    await book.tenant("broken", zone="Mars/Olympus")
    await book.tenant("huge", zone="../../etc/passwd")
    rules = await read_rules(pool)
    assert rules["broken"].calendar == rules["huge"].calendar == Timeline()


async def test_a_day_that_is_said_to_have_changed_is_read_again_at_once(
    book: Book, pool: asyncpg.Pool
) -> None:
    """Nobody would read a day of last week again for the next hours."""
    now = datetime(2026, 11, 18, 10, tzinfo=UTC)
    late = now - timedelta(days=6)
    reader = CounterReader(pool, "acme", Timeline([(None, Terms(zone=ZoneInfo("America/Lima")))]), at_once)
    wanted = {counter_key({}, "USD"): datetime(2026, 11, 1, 5, tzinfo=UTC)}
    await book.spend("5", late)

    async def spent() -> Decimal:
        await reader.look(now, wanted)
        return reader.counters.of(counter_key({}, "USD"), wanted[counter_key({}, "USD")], now).effective

    assert await spent() == 5
    await book.spend("-2", late, shard=-1)
    assert await spent() == 5
    reader.changed(BucketSpan(late.replace(hour=0), late.replace(hour=0) + timedelta(days=1)))
    assert await spent() == 3


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
async def test_memory_equals_the_book_at_every_look_whatever_arrives_late(
    book: Book, pool: asyncpg.Pool, zone: str
) -> None:
    """Days roll over, minutes close, and late events land anywhere; every look sums to what Postgres says."""
    calendar = Timeline([(None, Terms(zone=ZoneInfo(zone)))])
    budgets = [replace(BUDGET, id=period, period=period, filter={}) for period in ("day", "week", "month")]
    budgets.append(replace(BUDGET, id="team", filter={"team": "search"}))
    reader = CounterReader(pool, "acme", calendar, at_once)
    chance = random.Random(7)
    start = datetime(2026, 11, 8, 23, 0, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    now = start
    while now < start + timedelta(hours=1, minutes=20):
        for _ in range(chance.randrange(4)):
            late = chance.choice([0, 0, 0, 1, 2, 90, 60 * 26])
            bucket = now - timedelta(minutes=late)
            await book.spend(
                "0.1", bucket, team=chance.choice(["search", "other"]), shard=chance.randrange(2)
            )
            if chance.random() < 0.3:
                await book.correct("-0.04", bucket, zone=zone, team=chance.choice(["search", "other"]))
            minute = bucket.replace(second=0, microsecond=0)
            reader.changed(BucketSpan(minute, minute + MINUTE))
        now += timedelta(seconds=chance.choice([1, 7, 40, 130]))
        reader._allowance = Allowance()
        await reader.look(now, counters_needed(budgets, now, calendar))
        for budget in budgets:
            begin, end = budget.bounds(now, calendar)
            expected = await book.owner.fetchval(
                "SELECT coalesce(sum(effective), 0) FROM rollups_minute JOIN series USING (tenant, series_id) "
                "WHERE bucket >= $1 AND bucket < $2 AND $3 IN ('', team)",
                begin, end, budget.filter.get("team", ""),
            )  # fmt: skip
            counter = counter_key(budget.filter, budget.currency)
            assert reader.counters.of(counter, begin, end).effective == expected
            assert (await reader.since(counter, begin, end)).effective == expected
