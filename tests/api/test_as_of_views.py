"""`as_of` of what is not `/v1/spend`: how far it is proved, which routes answer it, and why the others do not."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.http.as_it_is import AS_IT_IS, named, why_not
from tests.api.as_of_world import BEGIN, World, world_of
from tests.api.book import Book
from tests.api.teams import a_viewer_of_one_team
from tests.corrector.rerate_world import use

DAY = {"from": "2026-11-19", "to": "2026-11-20"}


@pytest.fixture
async def world(book: Book, database_url: str, client: httpx.AsyncClient) -> AsyncIterator[World]:
    async with world_of(book, database_url, client) as made:
        yield made


async def a_day_that_is_corrected(world: World) -> tuple[str, dict[str, Any]]:
    """When it was looked at, and what was told of it then; it has changed since."""
    for team, tokens in (("search", 3), ("ads", 4), ("ads", 5)):
        event = use(f"{team}{tokens}", "m-4", {"input_tokens": tokens}, at=BEGIN, team=team)
        await world.book.book(event)
    world.now += timedelta(seconds=30)
    at = await world.remember()
    told = await views(world)
    world.now += timedelta(hours=2)
    await world.book.book(use("late", "m-4", {"input_tokens": 50}, at=BEGIN, team="search"))
    await world.correct("acme", "ads4", 1, None)
    await world.correct("acme", "search3", 1, b'{"usage": {"input_tokens": 30}}')
    await world.remember()
    await world.roll_up()
    return at.isoformat(), told


async def views(world: World, **asked: str) -> dict[str, Any]:
    """What each view says of the day, without how it is asked for."""
    minutes = {**DAY, "to": "2026-11-19T08:01:00Z"}  # what is not over is compared up to now
    changes = await world.answer("acme", "/v1/spend/changes", **minutes, group_by="team", **asked)
    in_force = await world.answer("acme", "/v1/events", **DAY, **asked)
    every = await world.answer("acme", "/v1/events", **DAY, entries="all", **asked)
    ours = await world.answer("acme", "/v1/events", **DAY, **{"filter.team": "ads"}, **asked)
    file = await world.ask("acme", "/v1/exports/statement", cost_centre="ads", month="2026-11", **asked)
    assert file.status_code == 200, file.text
    return {
        "changes": (changes["currencies"], changes["contributors"]),
        "events": in_force["events"],
        "entries": every["events"],
        "of ads": ours["events"],
        "statement": [
            {name: cell for name, cell in row.items() if name not in WHEN_MADE}
            for row in csv.DictReader(io.StringIO(file.text))
        ],
    }


WHEN_MADE = ("InvoiceDetailCreated", "InvoiceDetailLastUpdated")


async def test_changes_lists_of_events_and_a_statements_file_are_told_as_they_stood(world: World) -> None:
    at, then = await a_day_that_is_corrected(world)
    now = await views(world)
    assert [name for name in then if now[name] == then[name]] == []
    assert await views(world, as_of=at) == then
    assert [row["effective"] for row in then["events"]] != []
    assert sum(float(row["effective"]) for row in then["events"]) == 3 + 4 + 5
    assert sum(float(row["effective"]) for row in now["events"]) == 30 + 5 + 50
    file = await world.ask("acme", "/v1/exports/statement", cost_centre="ads", month="2026-11", as_of=at)
    assert file.headers["X-As-Of"] == "2026-11-19T08:00:30Z"
    assert file.headers["X-Proved-Until"] == "2026-11-19T10:00:30Z"
    row = next(csv.DictReader(io.StringIO(file.text)))
    assert row["InvoiceDetailCreated"] == "2026-11-19T08:00:30Z"
    receipt = await world.ask("acme", "/v1/events", source="bot", id="late", as_of=at)
    assert receipt.status_code == 422
    assert "a receipt says of each entry when it was recorded" in receipt.text


async def one_event_a_minute(world: World, minutes: int) -> None:
    """The first is proved, and nothing after it."""
    for number in range(minutes):
        world.now = BEGIN + timedelta(minutes=number)
        await world.one_event(world.now, f"e{number}")
        while not await world.moments.remember(world.now):
            pass
        if number == 0:
            await world.prove()


async def test_nothing_is_told_of_what_lies_far_beyond_what_is_proved(world: World) -> None:
    await one_event_a_minute(world, 4)
    within = await world.answer("acme", **DAY, as_of="2026-11-19T08:01:00Z")
    assert within["totals"][0]["events"] == 1  # of two, the second of which is not proved
    assert within["as_of"] == within["proved_until"] == "2026-11-19T08:00:00Z"
    beyond = await world.ask("acme", **DAY, as_of="2026-11-19T08:01:01Z")
    assert beyond.status_code == 409
    assert "the book is proved up to 2026-11-19T08:00:00+00:00" in beyond.json()["detail"]
    assert beyond.json()["proved_until"] == "2026-11-19T08:00:00+00:00"
    for path in ("/v1/spend/changes", "/v1/events", "/v1/allocations", "/v1/statements/search"):
        refused = await world.ask("acme", path, as_of="2026-11-19T08:02:00Z")
        assert refused.status_code == 409, path
    await world.prove()
    assert (await world.answer("acme", **DAY, as_of="2026-11-19T08:03:00Z"))["totals"][0]["events"] == 4
    settled = await world.answer("acme", **DAY, as_of="2026-11-19T08:01:00Z")
    assert settled["totals"][0]["events"] == 2
    assert settled["proved_until"] == "2026-11-19T08:03:00Z"


@pytest.mark.parametrize(
    ("path", "asked", "rows"),
    [("/v1/spend", {"bucket": "minute", "from": "2026-11-19T08:00:00Z", "to": "2026-11-19T08:02:00Z"}, "series"),
     ("/v1/events", DAY, "events")],
)  # fmt: skip
async def test_all_pages_of_a_question_are_of_one_moment(
    world: World, path: str, asked: dict[str, str], rows: str
) -> None:
    asked = {**asked, "as_of": "2026-11-19T08:01:20Z", "limit": "1"}
    await world.one_event(BEGIN, "e0")
    world.now = BEGIN + timedelta(minutes=1)
    await world.one_event(world.now, "e1")
    await world.remember()
    world.now += timedelta(seconds=20)
    await world.one_event(BEGIN, "e2")
    while not await world.moments.remember(world.now):
        pass
    first = await world.answer("acme", path, **asked)  # e2 is there, and not proved yet
    await world.prove()
    second = await world.answer("acme", path, **asked, cursor=first["next_cursor"])
    assert first["as_of"] == second["as_of"] == "2026-11-19T08:01:00Z"
    assert len(first[rows]) == len(second[rows]) == 1
    assert second["next_cursor"] is None  # of two, for the third came later
    anew = await world.answer("acme", path, **asked, tz="UTC")
    assert anew["as_of"] == "2026-11-19T08:01:20Z"


async def test_a_book_that_nobody_proves_says_so_instead_of_showing_old_as_new(world: World) -> None:
    await world.one_event(BEGIN)
    while not await world.moments.remember(BEGIN):
        pass
    await world.book.owner.execute("DELETE FROM proved_until")
    for _ in range(2):  # also where a reconciler has begun, and has proved nothing yet
        refused = await world.ask("acme", **DAY, as_of="2026-11-19T08:00:00Z")
        assert refused.status_code == 409
        assert "nothing of this book is proved yet: is the reconciler running" in refused.json()["detail"]
        await world.book.owner.execute(
            "INSERT INTO proved_until (proved_at) VALUES (now()) ON CONFLICT DO NOTHING"
        )
    assert (await world.answer("acme", **DAY))["totals"][0]["events"] == 1


async def test_to_who_sees_one_team_the_mark_is_a_whole_minute(
    world: World, book: Book, api: FastAPI
) -> None:
    await world.one_event(BEGIN, "before")  # of the team payments
    await world.remember()
    world.now += timedelta(seconds=30)
    await world.book.book(use("other", "m-4", {"input_tokens": 5}, at=BEGIN, team="search"))
    await world.remember()
    world.now += timedelta(seconds=20)
    await world.one_event(BEGIN, "later")
    while not await world.moments.remember(world.now):
        pass
    viewer = {"Cookie": await a_viewer_of_one_team(api, book, "acme", "payments")}
    asked = {**DAY, "as_of": "2026-11-19T08:00:45Z"}
    answer = (await world.client.get("/v1/spend", params=asked, headers=viewer)).json()
    assert answer["as_of"] == answer["proved_until"] == "2026-11-19T08:00:00Z"
    assert answer["totals"][0]["events"] == 1
    listed = (await world.client.get("/v1/events", params=asked, headers=viewer)).json()
    assert [row["id"] for row in listed["events"]] == ["before"]
    everybody = await world.answer("acme", **asked)
    assert everybody["as_of"] == "2026-11-19T08:00:30Z"


def test_every_route_of_money_answers_as_it_stood_or_says_why_not(api: FastAPI) -> None:
    paths = {
        path: operations["get"] for path, operations in api.openapi()["paths"].items() if "get" in operations
    }
    takes = {
        path
        for path, get in paths.items()
        if any(each["name"] == "as_of" for each in get.get("parameters", ()))
    }
    assert takes >= {"/v1/spend", "/v1/spend/changes", "/v1/events", "/v1/exports/statement"}
    schemas = api.openapi()["components"]["schemas"]
    of_money = {
        path for path, get in paths.items() if "currency" in names_in(get["responses"].get("200"), schemas)
    }
    assert len(of_money) > 30
    settings = {"/v1/session", "/v1/meters"}  # whose currency is that of no amount
    assert [path for path in sorted(of_money - takes - settings) if named(path) is None] == []
    begins = [each for each in AS_IT_IS if not any(path.startswith(each) for path in paths)]
    assert begins == []
    assert [path for path in sorted(takes) if named(path) is not None] == []
    assert all("409" in paths[path]["responses"] for path in takes)


def names_in(described: Any, schemas: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """Of all properties of an answer, as deep as they lie."""
    return set(_names_in(described, schemas, set(seen)))


def _names_in(described: Any, schemas: dict[str, Any], seen: set[str]) -> Iterator[str]:
    if isinstance(described, list):
        for each in described:
            yield from _names_in(each, schemas, seen)
    if not isinstance(described, dict):
        return
    yield from described.get("properties", {})
    if (name := described.get("$ref", "").rpartition("/")[2]) and name not in seen:
        seen.add(name)
        yield from _names_in(schemas[name], schemas, seen)
    for key, each in described.items():
        if key not in ("example", "examples"):
            yield from _names_in(each, schemas, seen)


async def test_who_asks_a_route_that_keeps_no_history_is_told_why_and_which_one_answers(world: World) -> None:
    refused = await world.ask("acme", "/v1/budgets", as_of="2026-11-19T08:00:00Z")
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {
            "field": "as_of",
            "reason": "cannot be told here, for a budget keeps what it is, not what it was: ask /v1/spend with the "
            "budget's filter and period for what was spent, /v1/audit for what the budget was",
        }
    ]
    export = await world.ask("acme", "/v1/exports/focus", as_of="2026-11-19T08:00:00Z")
    assert "made of cells, which keep no history: ask /v1/exports/statement" in export.text
    assert "is for what was spent" in why_not("/v1/keys")
