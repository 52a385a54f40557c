"""Whoever sees one team: its rows alone, and nothing of another team by difference. What another team does
changes no answer of theirs, to the last character."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.api.accounting.progress import of_one_team
from services.api.database import shares
from services.api.database.transactions import Database, Onlooker, prepare
from services.api.http.models import Complete
from services.api.http.problems import HttpRefusal
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import TEAM_READER, role_url
from tests.api.book import Book
from tests.api.teams import OURS, THEIRS, a_viewer_of_one_team, still, work
from tests.api.test_events import LINES, event
from tests.databases import SECRET

UNITS = "/v1/unit-economics?from=2026-11-23&to=2026-11-24"
DAY = "from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"
QUESTIONS = (
    f"/v1/spend?{DAY}",
    f"/v1/spend?{DAY}&group_by=team",
    f"/v1/spend?{DAY}&group_by=sku,key_id&bucket=hour&top=1",
    f"/v1/spend?{DAY}&group_by=cost_class&bucket=hour&compare=previous&ratios=true",
    f"/v1/spend?{DAY}&measure=list&filter.team={OURS}",
    f"/v1/spend?{DAY}&group_by=sku&filter.team={THEIRS}",
    f"/v1/spend?{DAY}&filter.key_id=k-{THEIRS}",
    f"/v1/spend/changes?{DAY}&group_by=sku",
    f"/v1/spend/changes?{DAY}&group_by=team&filter.team={THEIRS}",
    "/v1/unit-economics?from=2026-11-23&to=2026-11-24&group_by=sku",
    f"/v1/unit-economics?from=2026-11-23&to=2026-11-24&filter.team={THEIRS}",
    f"/v1/events?{DAY}",
    f"/v1/events?{DAY}&entries=all&limit=1",
    f"/v1/events?{DAY}&filter.team={THEIRS}",
    "/v1/budgets",
)


@pytest.fixture
async def viewer(api: FastAPI, client: httpx.AsyncClient, book: Book) -> dict[str, str]:
    """Headers of somebody who sees OURS."""
    return {"Cookie": await a_viewer_of_one_team(api, book, "acme", OURS)}


@pytest.fixture
async def everybody(book: Book) -> dict[str, str]:
    """Headers of a key that sees and governs all teams."""
    return {"Authorization": f"Bearer {await book.key('acme', 'read', 'govern')}"}


@pytest.fixture
async def everyone(
    api: FastAPI, client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> dict[str, dict[str, str]]:
    """Headers of all three: who sees everything, and a viewer of each team."""
    other = {"Cookie": await a_viewer_of_one_team(api, book, "acme", THEIRS)}
    return {"everybody": everybody, "viewer": viewer, "other": other}


async def all_of(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    answers = {path: await client.get(path, headers=headers) for path in QUESTIONS}
    assert {path: each.text for path, each in answers.items() if each.status_code != 200} == {}
    return {path: still(each) for path, each in answers.items()}


async def a_budget(
    client: httpx.AsyncClient, headers: dict[str, str], name: str, scope: dict[str, str]
) -> str:
    said = {"name": name, "amount": "100", "filter": scope, "period": "month"}
    answer = await client.post("/v1/budgets", json=said, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_nothing_that_another_team_does_changes_what_a_viewer_is_shown(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    await book.partition(0, log_end=7, read_at=now, booked=7)
    await work(book, OURS)
    await a_budget(client, everybody, "ours", {"team": OURS})
    before = await all_of(client, viewer)
    assert [row["effective"] for row in before[QUESTIONS[0]]["totals"]] == ["30", "2.5"]

    await work(book, THEIRS, times=40)  # at the same minutes and other prices of the same model
    await work(book, THEIRS, times=3, sku="another", named="more")
    await a_budget(client, everybody, THEIRS, {"team": THEIRS})
    await a_budget(client, everybody, "all", {})
    await book.partition(0, log_end=5_000, read_at=datetime.now(UTC), booked=7)
    assert await all_of(client, viewer) == before
    everything = await client.get(QUESTIONS[0], headers=everybody)
    assert [row["effective"] for row in everything.json()["totals"]] == ["1320", "110"]
    assert everything.json()["in_flight"] == 4_993


async def test_a_viewer_is_shown_what_the_tenant_is_shown_of_that_team(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    await work(book, OURS)
    await work(book, THEIRS, times=5)
    for asked in (
        "group_by=sku,feature&bucket=hour",
        "group_by=team&compare=previous&ratios=true",
        "usage=false",
    ):
        own = await client.get(f"/v1/spend?{DAY}&{asked}", headers=viewer)
        theirs = await client.get(f"/v1/spend?{DAY}&{asked}&filter.team={OURS}", headers=everybody)
        assert own.status_code == theirs.status_code == 200, own.text
        for name in (
            "totals",
            "series",
            "currency",
            "compared_with",
            "unpriced_events",
            "of_which_provisional",
        ):
            assert own.json()[name] == theirs.json()[name], (asked, name)
    own = await client.get(f"/v1/events?{DAY}", headers=viewer)
    theirs = await client.get(f"/v1/events?{DAY}&filter.team={OURS}", headers=everybody)
    assert own.json()["events"] == theirs.json()["events"] != []


async def test_asking_for_another_team_is_asking_for_one_that_is_not_there(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str]
) -> None:
    await work(book, OURS)
    await work(book, THEIRS)
    for path in QUESTIONS:
        if THEIRS in path:
            real = await client.get(path, headers=viewer)
            none = await client.get(path.replace(THEIRS, "nobody"), headers=viewer)
            assert still(real) == still(none), path


async def test_what_others_were_answered_is_in_no_answer_of_a_viewer(
    client: httpx.AsyncClient, book: Book, everyone: dict[str, dict[str, str]]
) -> None:
    await work(book, OURS)
    await work(book, THEIRS, times=5)
    sums = {"everybody": "180", "viewer": "30", "other": "150"}
    costs = {"everybody": "84", "viewer": "4", "other": "80"}  # 3 x 25 + 5 of the other team's cells
    for round_ in ("everybody viewer other", "viewer everybody other", "other viewer everybody"):
        for name in round_.split():
            shared = {**everyone[name], "Cache-Control": "max-age=60"}  # an answer of a second ago will do
            answer = await client.get(f"/v1/spend?{DAY}&group_by=cost_class", headers=shared)
            assert answer.json()["totals"][0]["effective"] == sums[name], (round_, name)
            changed = (await client.get(f"/v1/spend/changes?{DAY}", headers=shared)).json()
            assert changed["currencies"][0]["amount"] == sums[name], (round_, name)
            units = (await client.get(UNITS, headers=shared)).json()
            assert units["rows"][0]["cost"] == costs[name], (round_, name)


async def test_a_thousand_requests_of_two_teams_some_cancelled_are_answered_with_their_own_alone(
    client: httpx.AsyncClient,
    everyone: dict[str, dict[str, str]],
    book: Book,
    database: Database,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shares, "TIME_S_PER_S", 1_000)
    few = await create_pool(
        role_url(database_url, TEAM_READER, SECRET), size_max=2, service="test", init=prepare
    )
    monkeypatch.setattr(database, "_team_pool", few)
    for team, times in ((OURS, 1), (THEIRS, 5)):
        await work(book, team, times=times)
        await a_budget(client, everyone["everybody"], team, {"team": team})
    right = {name: await all_of(client, headers) for name, headers in everyone.items()}
    chance, gate, answered, cancelled = random.Random(5), asyncio.Semaphore(12), Counter[str](), 0

    async def one(name: str, path: str) -> None:
        nonlocal cancelled
        caching = {"Cache-Control": chance.choice(["no-cache", "max-age=60"])}
        asking = asyncio.create_task(client.get(path, headers=everyone[name] | caching))
        if chance.random() < 0.25:
            await asyncio.sleep(chance.random() * 0.05)
            asking.cancel()
        try:
            answer = await asking
        except asyncio.CancelledError:
            cancelled += 1
            return
        if answer.status_code == 200:
            assert still(answer) == right[name][path], (name, path)
            answered[name] += 1
        else:  # a slow machine tells some to come back later
            assert answer.status_code in (429, 503), answer.text

    async def gated() -> None:
        async with gate:
            await one(chance.choice(list(everyone)), chance.choice(QUESTIONS))

    await asyncio.gather(*(gated() for _ in range(1_000)))
    await few.close()
    assert (cancelled > 50, min(answered.values()) > 100) == (True, True)


async def test_the_price_of_a_unit_is_the_teams_own_not_everybodys(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    """1,000 tokens of input for 3 and 500 from the cache for 1: 4 for 1,500. They paid forty times as much each."""
    await work(book, OURS)
    before = (await client.get(UNITS, headers=viewer)).json()["rows"]
    await work(book, THEIRS, times=40)
    assert (await client.get(UNITS, headers=viewer)).json()["rows"] == before
    assert [row["tokens"] for row in before] == ["1500"]
    assert (await client.get(UNITS, headers=everybody)).json()["rows"] != before


async def test_a_budget_is_shown_to_a_viewer_where_it_is_of_that_team_alone(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    at = datetime.now(UTC).isoformat()
    await book.spend("acme", at, "30", team=OURS, sku="m")
    await book.spend("acme", at, "500", team=THEIRS, sku="m")
    made = {
        name: await a_budget(client, everybody, name, scope)
        for name, scope in {
            "ours": {"team": OURS}, "a part": {"team": OURS, "sku": "m"}, "theirs": {"team": THEIRS},
            "all": {}, "a model": {"sku": "m"},
        }.items()
    }  # fmt: skip
    shown = (await client.get("/v1/budgets", headers=viewer)).json()
    assert [(each["name"], each["spent"]) for each in shown["budgets"]] == [("ours", "30"), ("a part", "30")]
    assert [each["parents"] for each in shown["budgets"]] == [[], [made["ours"]]], (
        "what is above is not named"
    )
    assert shown["in_flight"] is None
    for name, made_id in made.items():
        answer = await client.get(f"/v1/budgets/{made_id}", headers=viewer)
        assert answer.status_code == (200 if name in ("ours", "a part") else 404), name
        missing = await client.get(f"/v1/budgets/{uuid4()}", headers=viewer)
        if answer.status_code == 404:
            assert set(answer.json()) == set(missing.json())


async def test_a_viewer_is_not_told_of_forecasts(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    made_id = await a_budget(client, everybody, "ours", {"team": OURS})
    assert (await client.get(f"/v1/budgets/{made_id}", headers=viewer)).json()["forecast"] is None
    assert (await client.get(f"/v1/budgets/{made_id}/forecast", headers=viewer)).status_code == 403


async def test_an_event_that_has_moved_is_shown_where_it_was_and_where_it_is_each_its_own_part(
    client: httpx.AsyncClient, api: FastAPI, book: Book, viewer: dict[str, str]
) -> None:
    other = {"Cookie": await a_viewer_of_one_team(api, book, "acme", THEIRS)}
    await book.entry(event("e1", team=OURS), "0.01", LINES)
    await book.entry(event("e1", team=OURS), "-0.01", [], seq=1)
    await book.entry(event("e1", team=THEIRS), "0.03", LINES, seq=2)

    async def amounts(headers: dict[str, str], entries: str) -> list[str]:
        answer = await client.get(f"/v1/events?{DAY}&entries={entries}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [each["effective"] for each in answer.json()["events"]]

    assert await amounts(viewer, "in_force") == []
    assert await amounts(viewer, "all") == ["-0.01", "0.01"]
    assert await amounts(other, "in_force") == await amounts(other, "all") == ["0.03"]


async def test_a_viewer_is_shown_no_receipt_and_waits_for_none(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str]
) -> None:
    await book.entry(event("e1", team=OURS), "0.01", LINES)
    for event_id in ("e1", "e2"):
        asked = {"source": "bots/checkout ü", "id": event_id}
        for also in ({}, {"wait": "1s"}):
            answer = await client.get("/v1/events", params=asked | also, headers=viewer)
            assert answer.status_code == 403
            assert "receipts are not shown by team" in answer.json()["detail"]


async def test_a_cursor_is_of_the_viewer_that_it_was_given_to(
    client: httpx.AsyncClient, book: Book, everyone: dict[str, dict[str, str]]
) -> None:
    viewer = everyone.pop("viewer")
    await work(book, OURS)
    await work(book, OURS, sku="second", named="more")
    path = f"/v1/spend?{DAY}&group_by=sku&top=1"
    cursor = (await client.get(path, headers=viewer)).json()["next_groups"]
    assert (await client.get(f"{path}&cursor={cursor}", headers=viewer)).status_code == 200
    for headers in everyone.values():
        assert (await client.get(f"{path}&cursor={cursor}", headers=headers)).status_code == 422


async def test_how_complete_an_answer_is_is_said_to_a_viewer_by_the_minute(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str], everybody: dict[str, str]
) -> None:
    await book.partition(0, log_end=7, read_at=datetime.now(UTC), booked=7)
    said = (await client.get(f"/v1/spend?{DAY}", headers=viewer)).json()
    assert (said["in_flight"], said["in_flight_age_s"]) == (None, None)
    through = datetime.fromisoformat(said["complete_through"])
    assert (through.second, through.microsecond) == (0, 0)
    exact = (await client.get(f"/v1/spend?{DAY}", headers=everybody)).json()
    assert timedelta(0) <= datetime.fromisoformat(exact["complete_through"]) - through < timedelta(minutes=2)


def test_what_is_complete_through_an_instant_is_so_through_the_minute_before() -> None:
    at = datetime(2026, 11, 23, 10, 4, 59, 999_999, tzinfo=UTC)
    told = of_one_team(Complete(complete_through=at, in_flight=3, in_flight_age_s=0.1))
    assert told == Complete(
        complete_through=datetime(2026, 11, 23, 10, 4, tzinfo=UTC), in_flight=None, in_flight_age_s=None
    )
    unknown = Complete(complete_through=None, in_flight=None, in_flight_age_s=None)
    assert of_one_team(unknown) == unknown


async def test_without_the_role_that_sees_one_team_nothing_is_shown_by_team(database: Database) -> None:
    alone = Database(database._pool)
    with pytest.raises(HttpRefusal) as refused:
        async with alone.seen_by(Onlooker("acme", OURS)):
            pass
    assert (refused.value.status, "SPENDMETER_TEAM_DATABASE_URL" in refused.value.detail) == (503, True)


async def test_a_team_does_not_outlive_its_transaction_and_reads_nothing_else_by_any_statement(
    book: Book, database: Database
) -> None:
    await work(book, OURS)
    await work(book, THEIRS)
    assert database._team_pool is not None
    for team, count in ((OURS, 3), (THEIRS, 3), ("nobody", 0)):
        async with database.seen_by(Onlooker("acme", team)) as connection:
            assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == count
            assert await connection.fetchval("SELECT count(*) FROM series WHERE team <> $1", team) == 0
    async with database._team_pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 0
    async with database.seen_by(Onlooker("globex", OURS)) as connection:
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 0
