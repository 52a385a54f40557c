"""What a hostile viewer of one team tries: odd names, other forms of an answer, tags of other people's answers, sums that
are kept, and what belongs to no team."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.access.keys import ApiKeys
from services.api.database.transactions import Database
from services.api.spend.closed import ClosedSums
from services.ledger.roller import Roller
from spendmeter.contracts.series import FOLDED
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.api.teams import OURS, THEIRS, a_viewer_of_one_team, work
from tests.api.test_people import ADA
from tests.api.test_team_viewers import DAY, QUESTIONS

LATER = datetime(2027, 3, 1, tzinfo=UTC)
ODD = (
    "Zo\u00eb", 'say "x"', "back\\slash", "o'hara'; --", "100%_", "\u5317\u4eac", '{"team": "b"}', "a,b", "null", "a" * 256,
)  # fmt: skip


@pytest.fixture
async def viewer(api: FastAPI, client: httpx.AsyncClient, book: Book) -> dict[str, str]:
    return {"Cookie": await a_viewer_of_one_team(api, book, "acme", OURS)}


@pytest.fixture
async def roller(database_url: str) -> AsyncIterator[Roller]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield Roller(pool=pool, meters=Meters())


async def sums(client: httpx.AsyncClient, headers: dict[str, str], asked: str = "") -> dict[str, str]:
    """What was spent in USD, by value of `team`."""
    answer = await client.get(f"/v1/spend?{DAY}&group_by=team&top=50{asked}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {row["team"]: row["effective"] for row in answer.json()["totals"] if row["currency"] == "USD"}


async def test_a_team_of_any_name_is_shown_its_own_rows_alone(
    client: httpx.AsyncClient, api: FastAPI, book: Book
) -> None:
    for number, team in enumerate(ODD):
        await book.spend("acme", "2026-11-23T09:00Z", str(number + 1), team=team)
    nearly = ("zo\u00eb", "100%", "%", "a" * 255, "100%_ ")
    cookies = {team: await a_viewer_of_one_team(api, book, "acme", team) for team in (*ODD, *nearly)}
    right = {team: {team: str(number + 1)} for number, team in enumerate(ODD)} | {team: {} for team in nearly}
    assert {team: await sums(client, {"Cookie": cookie}) for team, cookie in cookies.items()} == right


async def test_a_team_is_granted_as_the_book_writes_it(acme: httpx.AsyncClient) -> None:
    typed = unicodedata.normalize("NFD", "Zo\u00eb")
    answer = await acme.put("/v1/people", json=ADA | {"role": "viewer", "team": typed})
    assert (answer.status_code, answer.json()["team"]) == (200, "Zo\u00eb")


async def test_what_is_of_no_team_and_what_was_folded_of_many_is_shown_to_no_viewer_of_one(
    client: httpx.AsyncClient, api: FastAPI, book: Book, viewer: dict[str, str]
) -> None:
    headers = {"Cookie": await a_viewer_of_one_team(api, book, "acme", FOLDED)}
    await work(book, OURS)
    for team in ("", FOLDED):
        await book.spend("acme", "2026-11-23T09:00Z", "1000", team=team)
    assert await sums(client, viewer, "&filter.cost_class=model") == {OURS: "30"}
    assert set(await sums(client, viewer)) == {OURS}
    assert await sums(client, headers) == {}
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'admin')}"
    refused = await client.put("/v1/people", json=ADA | {"role": "viewer", "team": FOLDED})
    assert (refused.status_code, FOLDED in refused.text) == (422, True)


async def test_no_form_of_an_answer_and_no_tag_tells_of_another_team(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str]
) -> None:
    everybody = {"Authorization": f"Bearer {await book.key('acme', 'read', 'govern')}"}
    budget = {"amount": "100", "period": "month", "hard": {"key_share": "0.25"}}
    await work(book, OURS)
    made = await client.post(
        "/v1/budgets", json=budget | {"name": "o", "filter": {"team": OURS}}, headers=everybody
    )
    assert made.status_code == 201, made.text

    async def asked(path: str, headers: dict[str, str]) -> tuple[str, bytes]:
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        return answer.headers["etag"], answer.content

    paths = [*QUESTIONS, f"/v1/budgets/{made.json()['id']}"]
    csv, parquet = {"Accept": "text/csv"}, {"Accept": "application/vnd.apache.parquet"}
    forms = [(path, csv) for path in QUESTIONS] + [(f"/v1/spend?{DAY}&group_by=team,sku", parquet)]
    tables = [await asked(path, viewer | form) for path, form in forms]
    tags = {path: (await asked(path, viewer))[0] for path in paths}

    await work(book, THEIRS, times=7)
    await client.post(
        "/v1/budgets", json=budget | {"name": THEIRS, "filter": {"team": THEIRS}}, headers=everybody
    )
    assert [await asked(path, viewer | form) for path, form in forms] == tables
    for path, known in tags.items():
        tag, content = await asked(path, everybody)
        answer = await client.get(path, headers=viewer | {"If-None-Match": tag})
        assert answer.status_code == (304 if tag == known else 200), path
        assert (tag == known) <= (THEIRS.encode() not in content), path
    for path, tag in tags.items():
        answer = await client.get(path, headers=viewer | {"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b""), path


async def test_sums_that_are_rolled_up_and_kept_for_others_are_not_a_viewers(
    client: httpx.AsyncClient, api: FastAPI, book: Book, roller: Roller, viewer: dict[str, str]
) -> None:
    """Ours 30 USD and theirs 60, on one day: of days that are over, each reads its own and keeps its own."""
    everybody = {"Authorization": f"Bearer {await book.key('acme', 'read')}"}
    other = {"Cookie": await a_viewer_of_one_team(api, book, "acme", THEIRS)}
    await work(book, OURS)
    await work(book, THEIRS, times=2)
    while await roller.roll_up(LATER):
        pass
    assert await book.connection.fetchval("SELECT count(*) FROM rollups WHERE size = 'day'") == 4
    right = {"everybody": (everybody, "90"), "viewer": (viewer, "30"), "other": (other, "60")}
    for order in ("everybody viewer other", "viewer other everybody", "other everybody viewer"):
        api.state.closed = ClosedSums()
        for name in (*order.split(), *order.split()):
            headers, amount = right[name]
            answer = await client.get(f"/v1/spend?{DAY}&group_by=cost_class", headers=headers)
            assert [row["effective"] for row in answer.json()["totals"] if row["currency"] == "USD"] == [
                amount
            ]
        assert api.state.closed.size > 0
    await book.connection.execute("DELETE FROM rollups")  # and now what is kept alone is told
    for headers, amount in right.values():
        answer = await client.get(f"/v1/spend?{DAY}&group_by=cost_class", headers=headers)
        assert answer.json()["totals"][0]["effective"] == amount


async def test_a_refusal_says_the_same_whatever_others_did(
    client: httpx.AsyncClient, book: Book, viewer: dict[str, str]
) -> None:
    async def refusals() -> list[tuple[int, dict[str, Any]]]:
        asked = (
            f"/v1/spend?{DAY}&filter.nobody=x", f"/v1/spend?{DAY}&cursor=abc", f"/v1/events?{DAY}&cursor=abc",
            f"/v1/spend?{DAY}&group_by=nothing", "/v1/budgets/1", f"/v1/spend/changes?{DAY}&parts=x", "/v1/incidents",
            f"/v1/spend?{DAY}&group_by=sku&bucket=minute&limit=100000", "/v1/views", "/v1/exports/focus",
            f"/v1/statements/{THEIRS}", f"/v1/exports/statement?cost_centre={THEIRS}",
        )  # fmt: skip
        answers = [await client.get(path, headers=viewer) for path in asked]
        return [(each.status_code, each.json()) for each in answers]

    await work(book, OURS)
    before = await refusals()
    assert {status for status, _ in before} <= {400, 403, 404, 422}
    await work(book, THEIRS, times=20)
    assert await refusals() == before


async def test_a_role_that_becomes_of_one_team_shows_that_team_alone_in_an_open_session(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book
) -> None:
    """Also where the same question was just answered to the same person, and would be answered from memory."""
    await work(book, OURS)
    await work(book, THEIRS)
    cookie = await a_viewer_of_one_team(api, book, "acme", "")
    asked = {"Cookie": cookie, "Cache-Control": "max-age=60"}
    assert set(await sums(client, asked)) == {OURS, THEIRS}
    await book.connection.execute(
        "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by) "
        "SELECT tenant, person_id, issuer, subject, name, role, $1, 'r', 'b' FROM people_acts",
        OURS,
    )
    api.state.keys = ApiKeys(database)  # roles are read anew every five seconds
    assert set(await sums(client, asked)) == {OURS}
