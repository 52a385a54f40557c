"""What scopes came to in each hour, on a real Postgres: always what the entries say, in bounded rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.ledger import scopes as scopes_module
from services.ledger.book import prepare
from services.ledger.roller import Roller
from services.ledger.scopes import ScopeHours
from spendmeter.book.adding import add_corrections
from spendmeter.book.rollup import RollupSum
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.events import Labels
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.roles import role_url
from spendmeter.platform.service_keys import ACCRUALS, key_id
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import NOON, rated, usage_event
from tests.series import add_series
from tests.terms import counts_in

LATER = NOON + timedelta(days=3)
Sums = Mapping[tuple[datetime, str, str], tuple[int, Decimal]]


@pytest.fixture
async def pool(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(
        role_url(database, "ledger", SECRET), init=prepare, min_size=1, max_size=4
    ) as pool:
        yield pool


class Hours:
    """Rolls up, and adds scopes up, until nothing is due."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.roller = Roller(pool=pool, meters=Meters())
        self.scopes = ScopeHours(pool=pool, meters=Meters(), linger=timedelta())

    async def make(self, now: datetime = LATER) -> None:
        while await self.roller.roll_up(now):
            pass
        while await self.scopes.make(now):
            pass


@pytest.fixture
def hours(pool: asyncpg.Pool) -> Hours:
    return Hours(pool)


async def made(owner: asyncpg.Connection) -> Sums:
    rows = await owner.fetch(
        "SELECT bucket, dimension, value, sum(events)::int AS events, sum(effective) AS effective "
        "FROM scope_hours GROUP BY 1, 2, 3"
    )
    return {
        (row["bucket"], row["dimension"], row["value"]): (row["events"], row["effective"]) for row in rows
    }


async def grouped(owner: asyncpg.Connection, timeline: Timeline) -> Sums:
    """The same from the entries in force, in Python."""
    found: defaultdict[tuple[datetime, str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    rows = await owner.fetch(
        "SELECT e.occurred_at, e.effective, s.* FROM entries e JOIN series s USING (tenant, series_id)"
    )
    for row in rows:
        hour = bucket_at("hour", row["occurred_at"], timeline).start
        named = [("tenant", "")] + [
            (name, row[name]) for name in ("team", "agent", "sku", "provider", "key_id") if row[name]
        ]
        for dimension, value in named:
            found[hour, dimension, value][0] += 1
            found[hour, dimension, value][1] += row["effective"]
    return {key: (events, amount) for key, (events, amount) in found.items()}


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Europe/Berlin"])
async def test_scope_hours_equal_a_group_by_whatever_comes_late(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, hours: Hours, zone: str
) -> None:
    """600 events of four days over a change of the clock, booked in random order and made in between."""
    await counts_in(owner, "acme", zone=zone)
    chance, first = random.Random(zone), datetime(2026, 10, 23, tzinfo=UTC)
    progress = await begin(owner)
    for batch in range(6):
        records = []
        for n in range(100):
            at = first + timedelta(seconds=chance.randrange(4 * 86_400))
            labels = Labels(team=chance.choice(["search", "ads"]), agent=chance.choice(["a1", "a2", ""]))
            event = usage_event(f"e{batch}-{n}", time=at, labels=labels)
            amount = f"{chance.randrange(1, 10**6)}e-6"
            records.append(rated(event, progress.next_origin + n, amount=amount))
        progress = (await book_all(ledger, progress, *records)).progress
        await hours.make(first + timedelta(days=chance.randrange(5)))
    await hours.make(first + timedelta(days=5))
    timeline = Timeline([(None, Terms(zone=ZoneInfo(zone)))])
    assert await made(owner) == await grouped(owner, timeline)
    assert await owner.fetchval("SELECT count(*) FROM scope_hours_due") == 0


async def test_a_correction_makes_its_hour_again(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, hours: Hours
) -> None:
    """2 USD were booked, 0.5 are taken back: 1.5, in every scope, with 40 of its 100 output tokens."""
    event = usage_event("e0", labels=Labels(team="search"))
    await book_all(ledger, await begin(owner), rated(event, 0, amount="2"))
    await hours.make()
    [series] = await owner.fetch("SELECT series_id FROM series")
    key = ("acme", NOON, series["series_id"].hex(), "USD")
    taken = RollupSum(effective=Decimal("-0.5"), usage={"output_tokens": -60})
    await add_corrections(owner, {key: taken}, {"acme": Timeline()})
    await hours.make()
    assert (await made(owner))[NOON, "team", "search"] == (1, Decimal("1.5"))
    assert await owner.fetchval("SELECT output_tokens FROM scope_hours WHERE dimension = 'tenant'") == 40


async def test_the_largest_values_have_rows_and_the_others_one(
    owner: asyncpg.Connection,
    ledger: asyncpg.Connection,
    hours: Hours,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of teams of 1, 2, 3 and 4 USD two stay apart; the other two are 3 together."""
    monkeypatch.setattr(scopes_module, "VALUES_MAX", 2)
    events = [
        rated(usage_event(f"e{n}", labels=Labels(team=f"t{n}")), n - 1, amount=str(n)) for n in range(1, 5)
    ]
    await book_all(ledger, await begin(owner), *events)
    await hours.make()
    rows = await owner.fetch(
        "SELECT value, effective, events FROM scope_hours WHERE dimension = 'team' ORDER BY value"
    )
    assert [tuple(row) for row in rows] == [("", 3, 2), ("t3", 3, 1), ("t4", 4, 1)]


async def test_what_accrues_or_is_billed_is_not_in_them(owner: asyncpg.Connection, hours: Hours) -> None:
    await owner.execute(
        "INSERT INTO api_keys VALUES ('kb111', 'acme', 'bills', '\\x01', '{import}', false) ON CONFLICT DO NOTHING"
    )
    for key, amount in (("k7f3", 1), ("kb111", 10), (key_id(ACCRUALS), 100)):
        series = Series(provider="openai", sku="gpt-4o", key_id=key)
        await add_series(owner, "acme", series)
        added = {("acme", NOON, series_id(series).hex(), "USD"): RollupSum(effective=Decimal(amount))}
        await add_corrections(owner, added, {"acme": Timeline()})
    await hours.make()
    assert (await made(owner))[NOON, "tenant", ""][1] == 1


async def test_hours_from_before_the_table_are_made_the_newest_first(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, hours: Hours
) -> None:
    events = [rated(usage_event(f"e{n}", time=NOON - timedelta(days=n)), n) for n in range(3)]
    await book_all(ledger, await begin(owner), *events)
    while await hours.roller.roll_up(LATER):
        pass
    await owner.execute("TRUNCATE scope_hours_due")
    await owner.execute("INSERT INTO scope_hours_missing VALUES ('acme', 'infinity')")
    assert await made(owner) == {}
    assert await hours.scopes.make(NOON + timedelta(hours=1)) == 1  # marks the last day
    await hours.scopes.make(LATER)
    assert {hour for hour, _, _ in await made(owner)} == {NOON}
    await hours.make()
    assert {hour for hour, _, _ in await made(owner)} == {NOON - timedelta(days=n) for n in range(3)}
    assert await owner.fetchval("SELECT count(*) FROM scope_hours_missing") == 0


async def test_an_hour_that_has_just_changed_waits_for_more(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, hours: Hours
) -> None:
    await book_all(ledger, await begin(owner), rated(usage_event("e0"), 0))
    while await hours.roller.roll_up(LATER):
        pass
    patient = ScopeHours(pool=hours.scopes.pool, meters=Meters())
    assert await patient.make(LATER) == 0
    await owner.execute("UPDATE scope_hours_due SET marked_at = now() - interval '5 minutes'")
    assert await patient.make(LATER) == 1


async def test_an_hour_of_an_import_is_made_as_soon_as_it_rests_and_then_waits_as_others_do(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, hours: Hours
) -> None:
    """What is usual is known before the first incident; what comes late for it later does not make it each time."""
    first = await book_all(ledger, await begin(owner), rated(usage_event("e0"), 0))
    while await hours.roller.roll_up(LATER):
        pass
    rested = "UPDATE scope_hours_due SET marked_at = now() - interval '15 seconds'"
    patient = ScopeHours(pool=hours.scopes.pool, meters=Meters())
    await owner.execute(rested)
    assert await patient.make(NOON + timedelta(hours=1)) == 0  # no import: it has just passed
    assert await patient.make(LATER) == 1
    await book_all(ledger, first.progress, rated(usage_event("e1"), first.progress.next_origin))
    while await hours.roller.roll_up(LATER):
        pass
    await owner.execute(rested)
    assert await patient.make(LATER) == 0
