"""Rollups above the minute, on a real Postgres: each equals the sum of its entries, whatever came late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.ledger import roller as roller_module
from services.ledger.batch import BookPosition
from services.ledger.book import book, prepare
from services.ledger.roller import Roller
from spendmeter.book.cover import Marks, cover
from spendmeter.book.sizes import SIZES, bucket_at
from spendmeter.book.units import quantities_of
from spendmeter.contracts.events import Labels
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import NOON, rated, usage_event
from tests.terms import counts_in

LATER = NOON + timedelta(days=3)


@pytest.fixture
async def pool(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(
        role_url(database, "ledger", SECRET), init=prepare, min_size=1, max_size=4
    ) as pool:
        yield pool


@pytest.fixture
def roller(pool: asyncpg.Pool) -> Roller:
    return Roller(pool=pool, meters=Meters())


async def roll_all(roller: Roller, now: datetime = LATER) -> None:
    while await roller.roll_up(now):
        pass


async def sizes(owner: asyncpg.Connection) -> dict[str, list[tuple[datetime, int, Decimal]]]:
    found: dict[str, list[tuple[datetime, int, Decimal]]] = {}
    for row in await owner.fetch(
        "SELECT size, bucket, sum(events)::int AS events, sum(effective) AS effective FROM rollups "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        found.setdefault(row["size"], []).append((row["bucket"], row["events"], row["effective"]))
    return found


async def test_five_minutes_hour_and_day_are_made_of_what_was_booked(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, roller: Roller
) -> None:
    await counts_in(owner, "acme", zone="Asia/Kathmandu")
    times = [NOON, NOON + timedelta(minutes=4), NOON + timedelta(minutes=7), NOON + timedelta(minutes=20)]
    events = [rated(usage_event(f"e{n}", time=at), n, amount="0.1") for n, at in enumerate(times)]
    await book_all(ledger, await begin(owner), *events)
    await roll_all(roller)
    assert await sizes(owner) == {
        "five_minutes": [
            (NOON, 2, Decimal("0.2")),
            (NOON + timedelta(minutes=5), 1, Decimal("0.1")),
            (NOON + timedelta(minutes=20), 1, Decimal("0.1")),
        ],
        # In Nepal it is 17:45 at noon: the hour from 17:00 holds the first two, that from 18:00 the third.
        "hour": [
            (NOON - timedelta(minutes=45), 3, Decimal("0.3")),
            (NOON + timedelta(minutes=15), 1, Decimal("0.1")),
        ],
        "day": [(datetime(2026, 11, 22, 18, 15, tzinfo=UTC), 4, Decimal("0.4"))],
    }
    assert await owner.fetchval("SELECT count(*) FROM touched") == 0


async def test_a_bucket_that_is_not_over_is_left_to_finer_rollups(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, roller: Roller
) -> None:
    await book_all(ledger, await begin(owner), rated(usage_event("e0"), 0))
    assert await roller.roll_up(NOON + timedelta(minutes=5, seconds=29)) == 0
    await roll_all(roller, NOON + timedelta(minutes=6))
    assert set(await sizes(owner)) == {"five_minutes"}
    assert [tuple(row) for row in await owner.fetch("SELECT size, bucket FROM touched")] == [("hour", NOON)]


async def test_buckets_that_are_not_over_take_the_place_of_none_that_is(
    owner: asyncpg.Connection,
    ledger: asyncpg.Connection,
    roller: Roller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two at once, newest first, and three tenants' days and hours are under way: yesterday is made all the same."""
    monkeypatch.setattr(roller_module, "BUCKETS_MAX", 2)
    now = NOON + timedelta(days=1, minutes=20)
    events = [rated(usage_event("e0"), 0)]
    for number, tenant in enumerate(["acme", "globex", "initech"], 1):
        at = now - timedelta(minutes=10)
        events.append(rated(usage_event(f"e{number}", tenant=tenant, time=at), number))
    await book_all(ledger, await begin(owner), *events)
    await roll_all(roller, now)
    made = await sizes(owner)
    assert ("hour" in made, "day" in made) == (True, True)
    assert [row[0] for row in made["day"]] == [NOON.replace(hour=0)]


async def test_what_is_booked_while_a_bucket_is_made_is_in_the_next(
    owner: asyncpg.Connection, pool: asyncpg.Pool, ledger: asyncpg.Connection, roller: Roller
) -> None:
    """A booking whose transaction began before, and ends after, leaves its mark: no reader believes the bucket
    until it has been made again."""
    await book_all(ledger, await begin(owner), rated(usage_event("e0"), 0, amount="1"))
    progress = await begin(owner, 1)
    entered, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        async def execute(self, statement: str, *arguments: Any) -> Any:
            if "UPDATE positions" in statement:
                entered.set()
                await go_on.wait()
            return await ledger.execute(statement, *arguments)

    from services.ledger.batch import collect
    from tests.ledger_records import on_topic

    late = rated(usage_event("e1"), 0, amount="2", partition=1)
    booking = asyncio.create_task(book(Slow(), collect(progress, on_topic(late))))
    await entered.wait()
    await roll_all(roller)
    assert (await sizes(owner))["day"][0][2] == 1
    go_on.set()
    await booking
    marks = await owner.fetch("SELECT size, bucket FROM touched")
    assert [tuple(row) for row in marks] == [("five_minutes", NOON)]
    await roll_all(roller)
    assert (await sizes(owner))["day"][0][2] == 3


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
async def test_every_size_equals_the_entries_whatever_order_they_come_in(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, roller: Roller, zone: str
) -> None:
    """2,000 events of 40 days over a change of the clock, booked in random order and rolled up in between, with
    every number of a bucket compared to a GROUP BY over entries in Python."""
    await counts_in(owner, "acme", zone=zone)
    chance = random.Random(zone)
    first = datetime(2026, 3, 10, tzinfo=UTC)
    progress: BookPosition = await begin(owner)
    for batch in range(20):
        records = []
        for n in range(100):
            at = first + timedelta(seconds=chance.randrange(40 * 86_400))
            team = chance.choice(["search", "ads", "ops"])
            number = progress.next_origin + n
            event = usage_event(f"e{batch}-{n}", time=at, labels=Labels(team=team))
            records.append(rated(event, number, amount=f"{chance.randrange(1, 10**6)}e-6"))
        progress = (await book_all(ledger, progress, *records)).progress
        await roller.roll_up(first + timedelta(days=chance.randrange(50)))
    await roll_all(roller, first + timedelta(days=60))
    timeline = Timeline([(None, Terms(zone=ZoneInfo(zone)))])
    entries = await owner.fetch(
        "SELECT occurred_at, series_id, effective, event::jsonb #>> '{data,usage}' FROM entries"
    )
    for size in SIZES:
        want: dict[tuple[datetime, bytes], tuple[int, Decimal]] = {}
        for at, series, effective, _ in entries:
            key = bucket_at(size, at, timeline).start, series
            events, amount = want.get(key, (0, Decimal(0)))
            want[key] = events + 1, amount + effective
        rows = await owner.fetch("SELECT * FROM rollups WHERE size = $1", size)
        assert {(row["bucket"], row["series_id"]): (row["events"], row["effective"]) for row in rows} == want
        for row in rows:
            events = row["events"]
            assert quantities_of(row) == {"input_tokens": 1000 * events, "output_tokens": 100 * events}
    assert await owner.fetchval("SELECT count(*) FROM touched") == 0


async def test_a_late_event_makes_its_own_series_again_and_no_other(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, roller: Roller
) -> None:
    labels = [Labels(team="a"), Labels(team="b")]
    events = [rated(usage_event(f"e{n}", labels=each), n, amount="1") for n, each in enumerate(labels)]
    progress = (await book_all(ledger, await begin(owner), *events)).progress
    await roll_all(roller)
    before = {
        row["series_id"]: row["xmin"]
        for row in await owner.fetch("SELECT series_id, xmin::text FROM rollups")
    }
    await book_all(ledger, progress, rated(usage_event("late", labels=labels[0]), 2, amount="5"))
    await roll_all(roller)
    rows = await owner.fetch("SELECT series_id, xmin::text, effective FROM rollups WHERE size = 'day'")
    changed = {row["series_id"]: row["effective"] for row in rows if row["xmin"] != before[row["series_id"]]}
    assert list(changed.values()) == [Decimal(6)]


async def test_a_reader_never_counts_twice_or_misses_while_rollups_are_made(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, pool: asyncpg.Pool, roller: Roller
) -> None:
    """What a question adds up in one snapshot equals the entries of that snapshot, at any moment."""
    progress = await begin(owner)
    stop = asyncio.Event()

    async def keep_rolling() -> None:
        while not stop.is_set():
            await roller.roll_up(LATER)

    async def ask() -> None:
        span = [NOON - timedelta(hours=12), NOON + timedelta(hours=12)]
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            marks: dict[Any, list[datetime]] = {}
            for row in await connection.fetch("SELECT size, bucket FROM touched"):
                marks.setdefault(row["size"], []).append(row["bucket"])
            total = Decimal(0)
            for size, start, end in cover(span, Timeline(), Marks(marks)):
                table = "rollups_minute" if size == "minute" else f"rollups WHERE size = '{size}'"
                where = "WHERE" if size == "minute" else "AND"
                total += await connection.fetchval(
                    f"SELECT coalesce(sum(effective), 0) FROM {table} {where} bucket >= $1 AND bucket < $2",
                    start,
                    end,
                )
            assert total == await connection.fetchval("SELECT coalesce(sum(effective), 0) FROM entries")

    rolling = asyncio.create_task(keep_rolling())
    chance = random.Random(7)
    for n in range(60):
        at = NOON + timedelta(minutes=chance.randrange(-300, 300))
        record = rated(usage_event(f"e{n}", time=at), progress.next_origin, amount="0.5")
        progress = (await book_all(ledger, progress, record)).progress
        await ask()
    stop.set()
    await rolling
