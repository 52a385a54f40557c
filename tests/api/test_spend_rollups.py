"""GET /v1/spend gives one answer, whether it is read from minutes, from larger rollups or from some of each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.spend import groups
from services.api.spend.closed import ClosedSums
from services.ledger.roller import Roller
from spendmeter.book.adding import add_corrections
from spendmeter.book.rollup import RollupSum
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.api.test_spend import ask
from tests.terms import counts_in

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


async def test_what_was_read_before_is_never_told_when_it_has_changed(
    globex: httpx.AsyncClient, book: Book, roller: Roller, api: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is booked, rolled up or corrected between two questions, an answer is that of a process that has
    just started, and that of Postgres alone."""
    chance = random.Random(5)
    timeline = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin"), currency="EUR"))])
    await spend_some(book, chance, 100)
    kept = api.state.closed
    for step in range(9):
        if step % 3 == 0:
            await spend_some(book, chance, 5)
        elif step % 3 == 1:
            await roller.roll_up(FIRST + timedelta(days=chance.randrange(10, 90)))
        else:
            await correct_some(book, chance, timeline)
        api.state.closed = kept
        said = await answers(globex)
        api.state.closed = ClosedSums()
        assert said == await answers(globex)
        with monkeypatch.context() as by_postgres:
            by_postgres.setattr(groups, "READ_MAX", 0)
            api.state.closed = ClosedSums()
            assert said == await answers(globex)
    assert kept.size > 100


async def correct_some(book: Book, chance: random.Random, timeline: Timeline) -> None:
    rows = await book.connection.fetch("SELECT series_id FROM series ORDER BY series_id")
    series = chance.choice(rows)["series_id"]
    minute = FIRST + timedelta(minutes=chance.randrange(30 * 1_440))
    figure = Decimal(chance.randrange(-1000, 1000))
    usage: dict[str, int | Decimal] = {"input_tokens": chance.randrange(9), "hours": Decimal("0.5")}
    of = RollupSum(events=0, list=figure, contracted=figure, effective=figure, usage=usage)
    await add_corrections(
        book.connection, {("globex", minute, series.hex(), "EUR"): of}, {"globex": timeline}
    )


async def test_an_answer_that_was_given_reads_no_closed_rollup_again(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """Shown by what is not read: it is gone behind the back of all."""
    await spend_some(book, random.Random(3), 50)
    while await roller.roll_up(FIRST + timedelta(days=90)):
        pass
    question = {"from": "2026-10-15", "to": "2026-11-20", "group_by": "team", "bucket": "day"}
    before = await ask(globex, **question)
    await book.connection.execute("DELETE FROM rollups")
    assert (await ask(globex, **question))["series"] == before["series"]
    await book.connection.execute("UPDATE rolled SET generation = generation + 1")
    assert (await ask(globex, **question))["totals"] == []


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


async def test_what_is_older_than_minutes_are_kept_is_answered_by_hours_and_refused_by_less(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """In Berlin hours begin as everywhere, in Kathmandu at a quarter to: those cut through what there is."""
    await spend_some(book, random.Random(3), 50)
    while await roller.roll_up(FIRST + timedelta(days=90)):
        pass
    question = {"from": "2026-10-15", "to": "2026-11-20", "group_by": "team"}
    before = await ask(globex, bucket="day", **question)
    hours = {"from": "2026-10-20", "to": "2026-10-22", "bucket": "hour"}
    by_hour = await ask(globex, **hours)
    await book.connection.execute(
        "DELETE FROM rollups_minute WHERE bucket < '2026-11-01Z'; "
        "DELETE FROM rollups WHERE size = 'five_minutes' AND bucket < '2026-11-01Z'; "
        "INSERT INTO minutes_kept (since) VALUES ('2026-11-01Z')"
    )
    assert await ask(globex, bucket="day", **question) == before
    assert await ask(globex, **hours) == by_hour
    for finer in (
        {"from": "2026-10-20", "to": "2026-10-21", "bucket": "minute"},
        {"from": "2026-10-20T12:30Z", "to": "2026-11-20"},
        {"from": "2026-10-20", "to": "2026-11-20", "tz": "Asia/Kathmandu"},
    ):
        answer = await globex.get("/v1/spend", params=finer)
        assert answer.status_code == 422
        assert (
            "minutes are kept since 2026-11-01T00:00Z; what is older is answered by hours of Europe/Berlin"
            in (answer.json()["detail"])
        )


async def test_a_tenant_that_moved_between_hours_that_begin_otherwise_is_told_what_to_ask(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    """In Kolkata until November, where hours begin at half past, then in UTC: no range over both suits the hours
    that are kept of October, and what the answer says instead adds up to all that was spent."""
    moved = datetime(2026, 10, 31, 18, 30, tzinfo=UTC)
    await book.connection.execute("DELETE FROM tenant_terms WHERE tenant = 'globex'")
    await counts_in(book.connection, "globex", "EUR", "Asia/Kolkata", until=moved)
    await counts_in(book.connection, "globex", "EUR", "UTC", since=moved)
    await spend_some(book, random.Random(3), 50)
    while await roller.roll_up(FIRST + timedelta(days=90)):
        pass

    async def euros(**question: str) -> Decimal:
        totals = (await ask(globex, **question))["totals"]
        return sum((Decimal(each["effective"]) for each in totals if each["currency"] == "EUR"), Decimal(0))

    whole = await euros(**{"from": "2026-10-10", "to": "2026-11-20"})
    await book.connection.execute(
        "DELETE FROM rollups_minute WHERE bucket < '2026-11-05Z'; "
        "DELETE FROM rollups WHERE size = 'five_minutes' AND bucket < '2026-11-05Z'; "
        "INSERT INTO minutes_kept (since) VALUES ('2026-11-05Z')"
    )
    answer = await globex.get("/v1/spend", params={"from": "2026-10-10", "to": "2026-11-20", "bucket": "day"})
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(
        "minutes are kept since 2026-11-05T00:00Z; what is older is answered by hours of Asia/Kolkata, and "
        "2026-10-10T00:00Z lies within the one from 23:30Z to 00:30Z: the tenant counted by that zone until "
        "2026-10-31T18:30Z, so ask up to then with tz=Asia/Kolkata, and from then on by itself"
    )
    before = {"from": "2026-10-10", "to": "2026-10-31T18:30Z", "bucket": "day", "tz": "Asia/Kolkata"}
    after = {"from": "2026-10-31T18:30Z", "to": "2026-11-20", "bucket": "day"}
    assert await euros(**before) + await euros(**after) == whole > 0
