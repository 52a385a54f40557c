"""What is usual at an hour is rebuilt from the hours of scopes alone, and a burst is held against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import asyncpg

from services.alerts.bursts.anomalies import detect
from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.season_reader import SeasonReader
from services.alerts.bursts.seasons import ScopeSeason, Season
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.conftest import Book
from tests.alerts.hourly import local_hour

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KOLKATA = ZoneInfo("Asia/Kolkata")
"""Half an hour beside UTC: its hours begin at :30."""
NOW = datetime(2026, 11, 20, 3, 40, tzinfo=UTC)


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    yield


def counts(currency: str) -> Timeline:
    return Timeline([(None, Terms(currency=currency, zone=KOLKATA))])


async def came_to(
    book: Book, at: datetime, amount: str, dimension: str = "tenant", value: str = "", sku: str = "m"
) -> None:
    await book.owner.execute(
        "INSERT INTO scope_hours (tenant, bucket, dimension, value, provider, sku, currency, events, unpriced_events, "
        "effective, of_which_provisional) VALUES ('acme', $1, $2, $3, 'openai', $4, 'USD', 1, 0, $5, 0)",
        at, dimension, value, sku, Decimal(amount),
    )  # fmt: skip


async def test_any_reader_says_the_same_of_an_hour_from_what_is_added_up(
    book: Book, pool: asyncpg.Pool
) -> None:
    """Eight nights ago the tenant began; batch costs 40 and 20 of two models each night, the tenant 70."""
    await book.owner.execute("DELETE FROM scope_hours_missing")
    hour = local_hour(NOW, KOLKATA)
    assert hour == datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
    for night in range(1, 9):
        await came_to(book, hour - night * DAY, "40", "agent", "batch", "m")
        await came_to(book, hour - night * DAY, "20", "agent", "batch", "n")
        await came_to(book, hour - night * DAY, "70")
        await came_to(book, hour - night * DAY, "9", "agent", "")  # the values beyond the largest
    await came_to(book, hour - DAY, "500", "agent", "once")
    told = [
        await SeasonReader(pool, "acme", counts("USD"), at_once).read(NOW + number * MINUTE)
        for number in (0, 9)
    ]
    zero = Decimal(0)
    assert told[0] == told[1] == Season(
        hour=hour,
        history_days=8,
        scopes=[
            ScopeSeason("tenant", "", zero, Decimal(70), zero),
            ScopeSeason("agent", "batch", zero, Decimal(60), zero),
        ],
        month=Decimal(560),
    )  # fmt: skip
    euros = await SeasonReader(pool, "acme", counts("EUR"), at_once).read(NOW)
    assert (euros.history_days, euros.scopes) == (8, [])


async def test_hours_that_are_not_added_up_yet_are_no_zeros(book: Book, pool: asyncpg.Pool) -> None:
    """Before the day before yesterday nothing is added up yet, and that is no history."""
    hour = local_hour(NOW, UTC)
    await book.owner.execute("DELETE FROM scope_hours_missing")
    await book.owner.execute("INSERT INTO scope_hours_missing VALUES ('acme', $1)", hour - 2 * DAY)
    for day in (1, 2):
        await came_to(book, hour - day * DAY, "70")
    season = await SeasonReader(pool, "acme", Timeline(), at_once).read(NOW)
    assert (season.history_days, [each.this for each in season.scopes]) == (2, [70])
    await book.owner.execute("UPDATE scope_hours_missing SET until = 'infinity'")
    nothing = await SeasonReader(pool, "acme", Timeline(), at_once).read(NOW)
    assert (nothing.history_days, nothing.scopes) == (0, [])


async def test_weeks_that_are_imported_while_somebody_looks_are_known_within_a_minute(
    book: Book, pool: asyncpg.Pool
) -> None:
    """Two days of 70 are known; then come twelve that were before. A twentieth more is not worth another look."""
    hour = local_hour(NOW, UTC)
    await book.owner.execute("DELETE FROM scope_hours_missing")
    reader = SeasonReader(pool, "acme", Timeline(), at_once)
    assert (await reader.read(NOW)).history_days == 0
    for day in range(1, 3):
        await came_to(book, hour - day * DAY, "70")
    assert (await reader.read(NOW + MINUTE / 2)).history_days == 0
    first = await reader.read(NOW + MINUTE)
    assert (first.history_days, first.month) == (2, 140)
    for day in range(3, 15):
        await came_to(book, hour - day * DAY, "70")
    second = await reader.read(NOW + 2 * MINUTE)
    assert (second.history_days, second.month) == (14, 980)
    await came_to(book, hour - 15 * DAY, "49")
    assert await reader.read(NOW + 3 * MINUTE) is second
    assert (await reader.read(NOW + 22 * MINUTE)).month == 1029


async def test_while_an_import_is_not_added_up_what_is_usual_is_not_known_yet(
    book: Book, pool: asyncpg.Pool
) -> None:
    """An hour of three days ago waits; one that is made again, of what came late for it, keeps nobody waiting."""
    hour = local_hour(NOW, UTC)
    await book.owner.execute("DELETE FROM scope_hours_missing")
    await book.owner.execute("DELETE FROM scope_hours_due")
    await book.owner.execute("INSERT INTO scope_hours_due VALUES ('acme', $1)", hour - 3 * DAY)
    reader = SeasonReader(pool, "acme", Timeline(), at_once)
    first = await reader.read(NOW)
    assert (first.history_days, first.waits) == (0, True)
    await came_to(book, hour - 3 * DAY, "70")
    second = await reader.read(NOW + MINUTE)
    assert (second.history_days, second.waits) == (3, False)


async def test_what_comes_late_for_an_idle_night_makes_no_known_weeks_unknown(
    book: Book, pool: asyncpg.Pool
) -> None:
    hour = local_hour(NOW, UTC)
    await book.owner.execute("DELETE FROM scope_hours_missing")
    await book.owner.execute("DELETE FROM scope_hours_due")
    for day in range(1, 15):
        await came_to(book, hour - day * DAY, "70")
    for waiting, waits in ((1, False), (24, False), (25, True)):
        await book.owner.execute("DELETE FROM scope_hours_due")
        await book.owner.execute(
            "INSERT INTO scope_hours_due SELECT 'acme', $1::timestamptz - number * interval '25 hours' "
            "FROM generate_series(2, $2::int + 1) AS number, generate_series(1, 2)", hour - 15 * DAY, waiting,
        )  # fmt: skip
        season = await SeasonReader(pool, "acme", Timeline(), at_once).read(NOW)
        assert (season.history_days, season.waits) == (14, waits)


async def test_what_a_batch_spends_each_night_is_found_unusual_only_without_its_nights(
    book: Book, pool: asyncpg.Pool
) -> None:
    """0.50 a minute are usual, and the batch has just begun with 8; each day at this hour it came to 60."""
    now = datetime.now(UTC).replace(second=50, microsecond=0)
    hour = local_hour(now, UTC)
    await book.owner.execute("DELETE FROM scope_hours_missing")
    for minutes in range(20):
        await book.spend("0.5", now - minutes * MINUTE, agent="triage")
    await book.spend("8", now, agent="batch")
    for day in range(1, 20):
        for near in (-1, 0, 1):
            await came_to(book, hour + near * HOUR - day * DAY, "60", "agent", "batch")
            await came_to(book, hour + near * HOUR - day * DAY, "90")
    found = {}
    async with Learner() as learner:
        for name, seasons in (("with", SeasonReader(pool, "acme", Timeline(), at_once)), ("without", None)):
            reader = MinuteReader(pool, "acme", "USD", at_once, learner, seasons=seasons)
            await reader.look(now)
            found[name] = [each.scope for each in detect(reader.recent.spent, reader.learned, now, []).new]
    assert found == {"with": [], "without": [("agent", "batch")]}
