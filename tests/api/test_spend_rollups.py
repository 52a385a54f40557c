"""GET /v1/spend gives one answer, whether it is read from minutes, from larger rollups or from some of each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.ledger.roller import Roller
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.api.test_spend import ask

FIRST = datetime(2026, 10, 15, tzinfo=UTC)
QUESTIONS: list[dict[str, Any]] = [
    {"from": "2026-10-20", "to": "2026-10-21"},
    {"from": "2026-10-15", "to": "2026-11-14", "group_by": "team", "bucket": "day"},
    {"from": "2026-10-23", "to": "2026-10-27", "group_by": "team", "bucket": "hour"},
    {"from": "2026-10-15", "to": "2026-11-14", "bucket": "week"},
    {"from": "2026-10-15", "to": "2026-11-30", "group_by": "sku,team", "bucket": "month", "top": 2},
    {"from": "2026-10-24T22:07:00Z", "to": "2026-10-26T03:33:00Z", "group_by": "sku"},
    {"from": "2026-10-24T22:07:00Z", "to": "2026-10-24T23:33:00Z", "bucket": "minute"},
    {"from": "2026-10-20", "to": "2026-10-30", "tz": "Asia/Kathmandu", "bucket": "day"},
    {
        "from": "2026-10-20",
        "to": "2026-10-30",
        "tz": "America/New_York",
        "bucket": "day",
        "filter__team": "ads",
    },
    {"from": "2026-10-15", "to": "2026-11-14", "group_by": "team", "bucket": "day", "limit": 7},
]


@pytest.fixture
async def roller(database_url: str) -> AsyncIterator[Roller]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield Roller(pool=pool, meters=Meters())


@pytest.fixture
async def globex(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    return client


async def spend_some(book: Book, chance: random.Random, events: int) -> None:
    for _ in range(events):
        at = FIRST + timedelta(minutes=chance.randrange(30 * 1_440))
        await book.spend(
            "globex", at.isoformat(), f"0.{chance.randrange(1, 10**6):06}", shard=chance.randrange(4),
            team=chance.choice(["ads", "search", "ops"]), sku=chance.choice(["gpt-4o", "o3"]),
            currency=chance.choice(["EUR", "EUR", "USD"]), usage={"input_tokens": chance.randrange(9), "hours": 0.25},
            recorded_on=at.date(),
        )  # fmt: skip


async def answers(client: httpx.AsyncClient) -> list[Any]:
    """Without what tells the time of asking."""
    said = []
    for question in QUESTIONS:
        answer = await ask(client, **question)
        said.append(
            [answer["totals"], answer["series"], answer["of_which_provisional"], answer["next_cursor"]]
        )
    return said


async def test_an_answer_is_the_same_from_rollups_of_any_size(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """In a zone whose clock goes back on 2026-10-25; half of the buckets touched again after they were made; of
    some minutes all quantities are in the map."""
    chance = random.Random(11)
    await spend_some(book, chance, 300)
    from_minutes = await answers(globex)
    await book.connection.execute(  # as a ledger before the unit columns did
        "UPDATE rollups_minute SET usage = usage || jsonb_build_object('input_tokens', input_tokens), "
        "input_tokens = NULL WHERE shard = 1"
    )
    assert await answers(globex) == from_minutes
    now = FIRST + timedelta(days=90)
    while await roller.roll_up(now):
        pass
    assert await book.connection.fetchval("SELECT count(*) FROM touched") == 0
    assert await answers(globex) == from_minutes
    await spend_some(book, chance, 20)
    mixed = await answers(globex)
    assert mixed != from_minutes
    await roller.roll_up(FIRST + timedelta(days=12))
    assert await answers(globex) == mixed
    while await roller.roll_up(now):
        pass
    assert await answers(globex) == mixed


async def test_a_day_that_is_rolled_up_is_read_as_one(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """Shown by what is not read: the minutes are gone."""
    await spend_some(book, random.Random(3), 50)
    question = {"from": "2026-10-15", "to": "2026-11-20", "group_by": "team"}
    before = await ask(globex, **question)
    while await roller.roll_up(FIRST + timedelta(days=90)):
        pass
    await book.connection.execute("DELETE FROM rollups_minute; DELETE FROM rollups WHERE size <> 'day'")
    assert (await ask(globex, **question))["totals"] == before["totals"]
