"""`as_of`: what was answered live at a moment is answered later as of it, whatever was booked, corrected, priced
anew, rolled up and dropped since."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from services.ledger.moments import Moments
from spendmeter.contracts.corrections import RerateRequest, Selection
from spendmeter.contracts.events import Context
from spendmeter.verify.moments import check_moments
from spendmeter.verify.report import Report
from tests.api.as_of_world import BEGIN, PER_ONE, World, world_of
from tests.api.book import Book
from tests.api.teams import a_viewer_of_one_team
from tests.corrector.rerate_world import use
from tests.dropped import drop_minutes
from tests.pricing.entries import RECORDED, price
from tests.pricing.test_causes import withdrawn

STRANGE = {f"strange_{letter}": 1 for letter in "abcdefghij"}
"""Of names that nobody registered the first eight are added up."""


@pytest.fixture
async def world(book: Book, database_url: str, client: httpx.AsyncClient) -> AsyncIterator[World]:
    async with world_of(book, database_url, client) as made:
        yield made


def said(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Its rows, without those that come to nothing and without quantities of nothing."""
    rows = []
    for row in [*answer["totals"], *answer["series"]]:
        sums = {
            name: row[name]
            for name in (
                "events",
                "unpriced_events",
                "list",
                "contracted",
                "effective",
                "of_which_provisional",
            )
        }
        if any(Decimal(value) for value in sums.values()):
            usage = {unit: quantity for unit, quantity in row["usage"].items() if Decimal(quantity)}
            named = {
                name: row.get(name) for name in ("sku", "team", "currency", "bucket_start", "bucket_end")
            }
            rows.append(
                {**named, **sums, "usage": usage, "compared": row["compared"], "others": row["others"] > 0}
            )
    return rows


QUESTIONS: tuple[dict[str, str], ...] = (
    {},
    {"group_by": "team,sku"},
    {"group_by": "team", "bucket": "day"},
    {"group_by": "sku", "bucket": "hour"},
    {"bucket": "hour", "filter.team": "ads"},
    {"group_by": "team", "bucket": "day", "tz": "Europe/Berlin", "compare": "previous"},
    {"group_by": "team,sku", "top": "2"},
)
FINE: tuple[dict[str, str], ...] = (
    {"bucket": "minute", "group_by": "sku"},
    {"bucket": "hour", "tz": "Asia/Kolkata"},
)


def ranges(chance: random.Random, now: datetime) -> dict[str, str]:
    """From days before now to some hours after it, in whole days or hours."""
    if chance.random() < 0.5:
        return {"from": "2026-11-17", "to": "2026-11-24"}
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=chance.randrange(1, 40))
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=chance.choice([0, 1, 3]))
    return {"from": start.isoformat(), "to": max(end, start + timedelta(hours=1)).isoformat()}


def some_event(chance: random.Random, number: int, now: datetime, tenant: str) -> Any:
    """Of now, late by minutes to days, or early."""
    at = now - timedelta(seconds=chance.choice([1, 5, 40, 600, 1_800, 7_200, 90_000, 200_000]))
    if chance.random() < 0.1:
        at = now + timedelta(seconds=chance.randrange(3_500))
    usage: dict[str, Any] = {"input_tokens": chance.randrange(1, 1000)}
    if chance.random() < 0.5:
        usage |= {
            "output_tokens": chance.randrange(1000),
            "gb_months": Decimal(chance.randrange(1000)).scaleb(-3),
        }
    if chance.random() < 0.1:
        usage |= STRANGE
    event = use(
        f"e{number}", chance.choice(["m-4", "m-unknown"]), usage, at=at, tenant=tenant,
        team=chance.choice(["search", "ads"]),
    )  # fmt: skip
    if chance.random() < 0.3:  # so early that names of nobody's were not added up
        event = replace(event, receivedat=datetime(2026, 11, 26, 12, tzinfo=UTC))
    if chance.random() < 0.1:
        event = replace(event, data=replace(event.data, context=Context(service_tier="fast")))
    return event


PATCHES = (
    None,
    b'{"usage": {"input_tokens": 77}}',
    b'{"usage": {"output_tokens": null, "gb_months": 0.125}}',
    b'{"labels": {"team": "moved"}}',
    b'{"sku": "m-4"}',
)


@pytest.mark.parametrize("seed", range(2))
async def test_what_was_told_live_at_a_moment_is_told_as_of_it_for_ever(world: World, seed: int) -> None:
    chance = random.Random(seed)
    events: list[tuple[str, str]] = []
    saved: list[tuple[datetime, str, dict[str, str], list[dict[str, Any]]]] = []
    for partition in (0, 2):  # of one that no moment knows yet the first second is not told apart
        await world.book.book(some_event(chance, 1_000 + partition, world.now, "acme"), partition=partition)
    await world.remember()
    for step in range(45):
        world.now += timedelta(seconds=chance.choice([1, 20, 200, 400, 900, 3_000, 9_000]))
        if chance.random() < 0.05:
            world.now -= timedelta(minutes=50)  # somebody has put the clock right
        for _ in range(chance.randrange(2)):
            tenant = chance.choice(["acme", "globex"])
            batch = [
                some_event(chance, len(events) + n, world.now, tenant)
                for n in range(chance.choice([1, 3, 12]))
            ]
            await world.book.book(*batch, partition=chance.choice([0, 2]))
            events += [(tenant, event.id) for event in batch]
        if events and chance.random() < 0.4:
            for _ in range(chance.randrange(1, 6)):
                await world.correct(*chance.choice(events), chance.randrange(4), chance.choice(PATCHES))
        if step == 30:
            await world.book.publish(withdrawn(PER_ONE), price("m-4", "input_tokens", "2"))
        if step in (31, 40):
            await price_anew(world, chance, step)
        if chance.random() < 0.5:
            await world.roll_up()
        if step % 5 == 2 and saved:  # what is booked is not sorted yet, or in part
            await check(world, chance.sample(saved, min(2, len(saved))))
            await world.moments.remember(world.now)
            await check(world, chance.sample(saved, min(2, len(saved))))
        if step % 5 == 4:
            at = await world.remember()
            for tenant in ("acme", "globex"):
                for asked in [*chance.sample(QUESTIONS, 2), chance.choice(FINE)]:
                    question = {**ranges(chance, at), **asked}
                    if "minute" in question.values():
                        question |= {"from": (at - timedelta(hours=3)).isoformat(), "to": at.isoformat()}
                    if "compare" in question:  # what is not over is compared up to now
                        hour = at.replace(minute=0, second=0, microsecond=0)
                        question |= {"from": (hour - timedelta(hours=9)).isoformat(), "to": hour.isoformat()}
                    saved.append((at, tenant, question, said(await world.answer(tenant, **question))))
    await check(world, saved)
    await found_right(world)
    now = [said(await world.answer(tenant, **question)) for _, tenant, question, _ in saved]
    assert sum(each != live for each, (*_, live) in zip(now, saved, strict=True)) > len(saved) // 2
    await world.roll_up()
    await check(world, saved)
    await drop_minutes(world.book.owner, datetime(2026, 11, 23, tzinfo=UTC))
    coarse = [each for each in saved if not is_fine(each)]
    assert len(coarse) > 20
    await check(world, coarse)
    await world.moments.thin(datetime(2027, 1, 20, tzinfo=UTC))
    await check(world, [each for each in coarse if await answers(world, each[0])])
    await found_right(world)


def is_fine(saved: tuple[datetime, str, dict[str, str], Any]) -> bool:
    """What hours and days of UTC cannot say."""
    question = saved[2]
    return question.get("bucket") == "minute" or "Asia/Kolkata" in question.values()


async def answers(world: World, at: datetime) -> bool:
    """Whether that moment is still there."""
    return bool(await world.book.owner.fetchval("SELECT EXISTS (SELECT FROM moments WHERE at = $1)", at))


async def found_right(world: World) -> None:
    """By verify, which adds up by itself."""
    report = await looked_through(world)
    assert report.named["I5"] == []
    assert report.checked["I5"] > 0


async def looked_through(world: World) -> Report:
    report = Report()
    async with world.book.owner.transaction():
        await check_moments(world.book.owner, report)
    return report


async def price_anew(world: World, chance: random.Random, step: int) -> None:
    since = BEGIN - timedelta(days=chance.randrange(2))
    request = RerateRequest(
        id=f"j{step}", tenant=chance.choice(["acme", "globex"]), version=2, reason="a test", by="ada", at=RECORDED,
        selection=Selection(since=since, until=since + timedelta(days=2)), apply=True,
    )  # fmt: skip
    await world.book.send(request)
    await world.book.work()


async def check(
    world: World, saved: list[tuple[datetime, str, dict[str, str], list[dict[str, Any]]]]
) -> None:
    for at, tenant, question, live in saved:
        then = await world.answer(tenant, **question, as_of=at.isoformat())
        assert then["as_of"] is not None
        told = said(then)
        assert told == live, (at, tenant, question)


async def refused(world: World, as_of: str, **asked: str) -> str:
    headers = {"Authorization": f"Bearer {world.keys['acme']}"}
    answer = await world.client.get("/v1/spend", params={**asked, "as_of": as_of}, headers=headers)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


async def test_verify_names_a_sum_by_when_it_was_recorded_that_is_not_its_entries(world: World) -> None:
    await world.remember()
    world.now += timedelta(hours=2)
    await world.one_event(BEGIN - timedelta(days=1), "late")
    await world.remember()
    assert (await looked_through(world)).named["I5"] == []
    await world.book.owner.execute("UPDATE recorded_apart SET effective = 4 WHERE size = 'minute'")
    found = {(each.what, each.row[:46]) for each in (await looked_through(world)).named["I5"]}
    minute = "acme 2026-11-18T08:00Z series "
    assert {(what, row[: len(minute)]) for what, row in found} == {
        ("effective is 4, its entries say 3", minute),  # the minute, beside the entries
        ("effective is 3, its minutes say 4", minute),  # and the hour that is made of it
        ("effective is 3, its minutes say 4", "acme 2026-11-18T00:00Z series "),
    }
    await world.book.owner.execute("DELETE FROM recorded_apart")
    assert (await looked_through(world)).named["I5"][0].what.startswith("events is 0, its entries say 1")


async def test_before_the_first_moment_and_after_the_last_nothing_is_told(world: World) -> None:
    assert "remembered no moment" in await refused(world, "2026-11-19T08:00:00Z")
    await world.one_event(BEGIN)
    await world.remember()
    world.now += timedelta(hours=1)
    await world.remember()  # nothing has changed, and that is known
    assert await world.book.owner.fetchval("SELECT count(*) FROM moments") == 1
    told = "is known from 2026-11-19T08:00:00+00:00 to 2026-11-19T09:00:00+00:00"
    assert told in await refused(world, "2026-11-19T07:59:59Z")
    assert told in await refused(world, "2026-11-19T09:00:01Z")
    answer = await world.answer("acme", range="today", as_of="2026-11-19T08:40:00Z")
    assert (answer["as_of"], answer["to"]) == ("2026-11-19T08:00:00Z", "2026-11-19T08:40:00Z")
    assert answer["totals"][0]["effective"] == "3"
    assert answer["complete_through"] is None


async def test_what_was_in_the_book_before_the_first_moment_is_in_all_of_them(world: World) -> None:
    await world.one_event(BEGIN - timedelta(days=2))
    at = await world.remember()
    await world.one_event(BEGIN - timedelta(days=2), "e2")
    asked = {"from": "2026-11-17", "to": "2026-11-18", "as_of": at.isoformat()}
    assert (await world.answer("acme", **asked))["totals"][0]["effective"] == "3"
    world.now += timedelta(seconds=1)
    await world.remember()
    first, again = [await world.answer("acme", **asked) for _ in range(2)]
    assert first == again
    assert first["totals"][0]["effective"] == "3"


async def test_among_too_many_events_the_ends_of_the_quarter_of_an_hour_are_offered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.book.as_of.ENTRIES_MAX", 2)
    for number in range(3):
        await world.one_event(BEGIN + timedelta(minutes=number), f"e{number}")
    world.now = BEGIN + timedelta(minutes=5)
    await world.remember()
    world.now = BEGIN + timedelta(minutes=14)
    await world.one_event(BEGIN + timedelta(minutes=14), "e3")
    await world.remember()
    world.now = BEGIN + timedelta(minutes=16)
    await world.one_event(BEGIN + timedelta(minutes=16), "e4")
    await world.remember()
    span = {"from": "2026-11-19", "to": "2026-11-20"}
    why = await refused(world, "2026-11-19T08:06:00Z", **span)
    assert "2026-11-19T08:00Z or 2026-11-19T08:15Z" in why
    at_end = await world.answer("acme", **span, as_of="2026-11-19T08:15:00Z")
    assert at_end["totals"][0]["events"] == 4


async def test_among_events_of_an_archived_month_nothing_is_told_and_at_the_quarters_end_all_is(
    world: World,
) -> None:
    for minute in (0, 14, 16):
        world.now = BEGIN + timedelta(minutes=minute)
        await world.one_event(world.now, f"e{minute}")
        await world.remember()
    async with put_away(world.book.owner):
        span = {"from": "2026-11-19", "to": "2026-11-20"}
        why = await refused(world, "2026-11-19T08:06:00Z", **span)
        assert "archived" in why
        assert "2026-11-19T08:00Z or 2026-11-19T08:15Z" in why
        at_end = await world.answer("acme", **span, as_of="2026-11-19T08:15:00Z")
        assert (at_end["totals"][0]["events"], at_end["totals"][0]["effective"]) == (2, "6")


@asynccontextmanager
async def put_away(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """All months up to this one are no part of the book; they are again afterwards, for other tests book in them."""
    months = await owner.fetch(
        """SELECT format('recorded.entries_%s', to_char(m, 'YYYYMM')) AS name,
            format('FROM (%L) TO (%L)', m::date, (m + interval '1 month')::date) AS bounds
        FROM entries_months() AS m WHERE m <= now()"""
    )
    for month in months:
        await owner.execute(f"ALTER TABLE entries DETACH PARTITION {month['name']}")
    try:
        yield
    finally:
        for month in months:
            await owner.execute(
                f"ALTER TABLE entries ATTACH PARTITION {month['name']} FOR VALUES {month['bounds']}"
            )


async def test_who_sees_one_team_is_told_of_it_as_it_stood_and_not_when_others_were_at_work(
    world: World, book: Book, api: FastAPI
) -> None:
    await world.one_event(BEGIN, "before")  # of the team payments, as the next ones
    at = await world.remember()
    viewer = {"Cookie": await a_viewer_of_one_team(api, book, "acme", "payments")}
    asked = {"from": "2026-11-19", "to": "2026-11-20", "group_by": "team", "as_of": "2026-11-19T08:00:30Z"}
    world.now += timedelta(seconds=20)
    await world.book.book(use("other", "m-4", {"input_tokens": 5}, at=BEGIN, team="search"))
    await world.remember()
    world.now += timedelta(minutes=20)
    await world.one_event(BEGIN, "late")
    await world.remember()
    answer = (await world.client.get("/v1/spend", params=asked, headers=viewer)).json()
    assert [(row["team"], row["effective"]) for row in answer["totals"]] == [("payments", "3")]
    assert answer["as_of"] == "2026-11-19T08:00:30Z"
    everybody = await world.answer("acme", **asked)
    assert [(row["team"], row["effective"]) for row in everybody["totals"]] == [
        ("search", "5"),
        ("payments", "3"),
    ]
    assert everybody["as_of"] == "2026-11-19T08:00:20Z" != at.isoformat()


async def test_who_bears_what_and_a_statement_are_told_as_they_stood(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.keys['acme']}"}

    async def told(path: str, **asked: str) -> dict[str, Any]:
        answer = await world.client.get(path, params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def rows(**asked: str) -> tuple[list[Any], list[Any]]:
        bears = await told("/v1/allocations", **{"from": "2026-11-19", "to": "2026-11-20"}, **asked)
        statement = await told("/v1/statements/search", month="2026-11", **asked)
        return bears["rows"], statement["lines"]

    for team, tokens in (("search", 3), ("ads", 4)):
        await world.book.book(use(team, "m-4", {"input_tokens": tokens}, at=BEGIN, team=team))
    at = await world.remember()
    then = await rows()
    assert [(row["cost_centre"], row["total"]) for row in then[0]] == [("ads", "4"), ("search", "3")]
    world.now += timedelta(hours=2)
    await world.book.book(use("late", "m-4", {"input_tokens": 5}, at=BEGIN, team="search"))
    await world.correct("acme", "ads", 1, None)
    await world.remember()
    await world.roll_up()
    assert await rows() != then
    assert await rows(as_of=at.isoformat()) == then


async def test_what_the_database_cannot_read_of_an_event_keeps_no_moment_from_being_written(
    world: World,
) -> None:
    await world.remember()
    elsewhere = BEGIN.astimezone(timezone(timedelta(hours=23)))  # more than Postgres takes
    day = BEGIN - timedelta(days=2)
    far = use("far", "m-4", {"input_tokens": 3} | STRANGE, at=day)
    await world.book.book(replace(far, receivedat=elsewhere), use("old", "m-4", {"input_tokens": 4}, at=day))
    await world.book.owner.execute(  # as a release may have booked it that did not look
        r"""UPDATE entries SET event = replace(event, '"k1"', '"\ud800"') WHERE strpos(event, '"old"') > 0"""
    )
    world.now += timedelta(seconds=1)
    at = await world.remember()
    await world.one_event(day, "later")
    world.now += timedelta(seconds=1)
    await world.remember()
    asked = {"from": "2026-11-17", "to": "2026-11-18", "as_of": at.isoformat()}
    answer = await world.answer("acme", **asked)
    assert (answer["totals"][0]["events"], answer["totals"][0]["effective"]) == (2, "7")


async def test_what_is_too_much_at_once_is_tried_again_with_half_as_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.moments = Moments(pool=world.moments.pool, offsets_max=400)
    tried: list[int] = []

    async def slow(self: Moments, now: datetime | None = None) -> bool:
        tried.append(self._at_once)
        if len(tried) < 4:
            raise TimeoutError
        return True

    monkeypatch.setattr(Moments, "remember", slow)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await world.moments._look()
    for _ in range(2):
        await world.moments._look()
    assert tried == [400, 200, 100, 100, 400]
