"""`GET /v1/coding-agents` out of real books, with amounts worked out by hand."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.api.accounting.completeness import UNFOLDED_MAX
from services.api.coding_agents.routes import BEING_ADDED_UP
from spendmeter.contracts.events import Labels
from tests.api.book import Book
from tests.api.test_assets import days_ago
from tests.api.test_workflows import Flows, flows

__all__ = ["flows"]

SINCE, UNTIL = days_ago(19), days_ago(-1)


async def call(
    flows: Flows, id: str, ago: float, amount: str, *, run: str = "", user: str = "", team: str = "web",
    agent: str = "claude-code", **said: Any,
) -> None:  # fmt: skip
    labels = Labels(run=run or id, team=team, agent=agent, user=user)
    await flows.event(id, run or id, ago, amount, labels=labels, **said)


async def a_month(flows: Flows) -> None:
    """Of each of six days, six sessions of 0.50, of six people of web; five of them end in a merged change."""
    for ago in range(10, 16):
        for person in range(6):
            run = f"s{ago}.{person}"
            await call(flows, f"c{run}", ago, "0.50", run=run, user=f"user:{person}")
            if person:
                flows.say(f"pr-{run}", ago - 1, name="pull_request_merged", labels={"run": run})


async def ask(client: httpx.AsyncClient, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/coding-agents", params={"from": SINCE, "to": UNTIL, **asked})
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def reader(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    return client


async def test_a_merged_change_costs_all_that_was_spent_over_those_that_stand(
    reader: httpx.AsyncClient, flows: Flows
) -> None:
    """36 sessions of 0.50 are 18; 30 changes were merged: 0.60. One is reverted: 29 are too few."""
    await a_month(flows)
    await flows.event("other", "r", 12, "77", tenant="globex")
    await flows.follow()
    body = await ask(reader)
    [row] = body["rows"]
    assert (row["tool"], row["team"], row["small_teams"], row["people"]) == ("claude-code", "web", 0, 6)
    assert (row["cost"], row["model"], row["sessions"], row["merged"]) == ("18", "18", 36, "30")
    assert (row["cost_per_merged"], row["merged_days"], row["missing"]) == ("0.6", 6, [])
    assert body["tools"] == [row | {"team": None}]
    assert body["teams"] == [row | {"tool": None}]
    flows.say("revert", 1, reverses="pr-s12.1")
    await flows.follow()
    [row] = (await ask(reader))["rows"]
    assert (row["merged"], row["taken_back"], row["cost_per_merged"]) == ("29", "1", None)
    assert row["missing"] == ["insufficient data: 29 merged changes, 30 are needed"]


async def test_a_team_of_two_is_not_told_but_to_who_may_see_persons(
    reader: httpx.AsyncClient, book: Book, flows: Flows
) -> None:
    """core (2) and data (5) stand together: core alone would be told by difference."""
    await a_month(flows)
    for person in range(2):
        await call(flows, f"core{person}", 11, "3", user=f"user:c{person}", team="core")
    for person in range(5):
        await call(flows, f"data{person}", 11, "1", user=f"user:d{person}", team="data")
    await flows.follow()
    body = await ask(reader)
    assert [(row["team"], row["small_teams"], row["cost"]) for row in body["rows"]] == [
        ("web", 0, "18"),
        (None, 2, "11"),
    ]
    assert "core" not in str(body)
    assert "user:" not in str(body)
    reader.headers["Authorization"] = f"Bearer {await book.key('acme', 'read', 'admin')}"
    body = await ask(reader)
    assert [(row["team"], row["cost"]) for row in body["rows"]] == [
        ("core", "6"),
        ("data", "5"),
        ("web", "18"),
    ]
    assert body["all_teams"]


async def test_a_question_cannot_make_people_of_other_licences(
    reader: httpx.AsyncClient, acme: httpx.AsyncClient, book: Book, flows: Flows
) -> None:
    """Fifty seats of a drawing program do not hide the one person of core, whoever's they are said to be."""
    said = {
        "id": "figma", "kind": "licence", "name": "Figma", "provider": "figma", "sku": "professional", "seats": 50,
        "starts_on": SINCE, "price_per_seat_month": "15", "assigned": [{"labels": {"team": "core"}, "weight": 50}],
    }  # fmt: skip
    made = await acme.post("/v1/assets", json=said)
    assert made.status_code == 201, made.text
    await call(flows, "one", 11, "3", user="user:1", team="core")
    await flows.follow()
    reader.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    body = await ask(reader, seats="claude-code=figma/*")
    assert [(row["team"], row["small_teams"]) for row in body["rows"]] == [(None, 1)]
    assert [each["licence"] for each in body["seats"]] == ["figma"]
    assert (await ask(reader))["seats"] == []


async def test_seats_count_beside_calls_and_idle_ones_only_where_somebody_said_so(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """Booked for web 60, for nobody's seats 30; ten seats at 30, of which six were used yesterday: 4 x 30."""
    said = {
        "id": "copilot", "kind": "licence", "name": "Copilot", "provider": "github", "sku": "copilot-business",
        "starts_on": SINCE, "seats": 10, "price_per_seat_month": "30",
        "assigned": [{"labels": {"team": "web"}, "weight": 7}], "labels": {"team": "it"},
    }  # fmt: skip
    made = await acme.post("/v1/assets", json=said)
    assert made.status_code == 201, made.text
    seat = {"provider": "github", "cost_class": "licence", "usage": {"seat_hours": 1}}
    for team, sku, amount in (("web", "copilot-business", "60"), ("it", "copilot-business:idle", "30")):
        labels = Labels(team=team)
        await flows.event(f"seat-{team}", "", 5, amount, **seat | {"sku": sku, "labels": labels})
    await flows.follow()
    body = await ask(acme)
    assert [(row["tool"], row["team"], row["seats"], row["cost"]) for row in body["rows"]] == [
        ("github-copilot", "it", "30", "30"),
        ("github-copilot", "web", "60", "60"),
    ]
    [idle] = body["seats"]
    assert (idle["idle"], idle["idle_cost"], idle["nobody_has"]) == (None, None, 3)
    answer = await acme.post("/v1/assets/copilot/activity", json=[{"day": days_ago(1), "active": 6}])
    assert answer.is_success, answer.text
    [idle] = (await ask(acme))["seats"]
    assert (idle["active"], idle["idle"], idle["idle_cost_per_month"], idle["day"]) == (
        6,
        4,
        "120",
        days_ago(1),
    )


async def test_an_opened_pull_request_is_no_merged_change(acme: httpx.AsyncClient, flows: Flows) -> None:
    await call(flows, "one", 11, "3", user="user:1")
    flows.say("opened", 11, name="pull_request", labels={"run": "one"})
    await flows.follow()
    [row] = (await ask(acme))["rows"]
    assert (row["merged"], row["cost_per_merged"]) == ("0", None)
    assert row["missing"] == [
        "no outcome of these days is called pull_request_merged: there are: pull_request"
    ]
    [row] = (await ask(acme, merged="pull_request"))["rows"]
    assert row["merged"] == "1"


async def test_a_change_without_a_known_session_is_of_the_tool_and_team_that_it_names(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await call(flows, "one", 11, "3", team="web")
    flows.say("m1", 11, name="pull_request_merged", labels={"agent": "claude-code", "team": "web"})
    flows.say(
        "m2", 11, name="pull_request_merged", labels={"run": "unknown", "agent": "codex", "team": "core"}
    )
    flows.say("m3", 11, name="pull_request_merged", labels={"run": "one", "agent": "codex", "team": "core"})
    flows.say("m4", 11, name="pull_request_merged", labels={"team": "web"})
    flows.say("no", 11, name="pull_request_merged", accepted=False, labels={"run": "one"})
    await flows.follow()
    body = await ask(acme)
    rows = {(row["tool"], row["team"]): row for row in body["rows"]}
    assert rows["claude-code", "web"]["merged"] == "2"
    assert rows["claude-code", "web"]["taken_back"] == "1"
    assert (rows["codex", "core"]["merged"], rows["codex", "core"]["cost"]) == ("1", "0")
    assert rows["codex", "core"]["missing"][0] == "nothing was booked of these days"
    none = ["1 merged changes are in no row: they name neither a session of a tool nor a tool"]
    assert body["not_in_it"] == none
    alone = await ask(acme, tool="codex")
    assert ([row["merged"] for row in alone["rows"]], alone["not_in_it"]) == (["1"], none)


async def test_whose_a_session_is_does_not_depend_on_which_tools_are_asked_for(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """Two calls of claude-code and one of codex in one session, and the change that came of it: claude-code's."""
    await call(flows, "one", 11, "3", run="s")
    await call(flows, "two", 11, "3", run="s")
    await call(flows, "three", 11, "2", run="s", agent="codex")
    flows.say("m", 11, name="pull_request_merged", labels={"run": "s", "agent": "codex"})
    await flows.follow()
    [row] = (await ask(acme, tool="codex"))["rows"]
    assert (row["cost"], row["sessions"], row["merged"]) == ("2", 0, "0")
    [row] = (await ask(acme, tool="claude-code"))["rows"]
    assert (row["cost"], row["sessions"], row["merged"]) == ("6", 1, "1")


async def test_a_rare_name_of_a_merged_change_is_found_among_many(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await call(flows, "one", 11, "3")
    flows.say("m", 11, name="pull_request_merged", labels={"run": "one"})
    for name in range(25):
        for time in range(2):
            flows.say(f"o{name}.{time}", 11, name=f"name-{name:02}")
    await flows.follow()
    body = await ask(acme)
    assert body["outcome_names"][:2] == ["pull_request_merged", "name-00"]
    assert len(body["outcome_names"]) == 20
    assert "insufficient data" in body["rows"][0]["missing"][0]


async def test_what_is_not_added_up_yet_is_said(acme: httpx.AsyncClient, flows: Flows) -> None:
    await call(flows, "one", 11, "3")
    await flows.follow()
    assert (await ask(acme))["not_in_it"] == []
    await flows.book.connection.execute("DELETE FROM projection_marks WHERE projection = 'agent_people'")
    [lack] = (await ask(acme))["not_in_it"]
    assert lack.endswith("booked events of all tenants are not added up yet")


async def test_while_the_book_is_added_up_anew_no_merged_change_has_a_cost(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await a_month(flows)
    await flows.follow()
    [row] = (await ask(acme))["rows"]
    assert (row["cost_per_merged"], row["missing"]) == ("0.6", [])
    await flows.book.connection.execute(
        "UPDATE positions SET next_origin = next_origin + $1, booked = booked + $1", UNFOLDED_MAX + 1
    )
    body = await ask(acme)
    [row] = body["rows"]
    assert (row["cost_per_merged"], row["missing"]) == (None, [BEING_ADDED_UP])
    assert body["not_in_it"] == [f"{UNFOLDED_MAX + 1:,} booked events of all tenants are not added up yet"]


async def test_what_has_no_price_is_said_beside_a_bound(acme: httpx.AsyncClient, flows: Flows) -> None:
    await call(flows, "one", 11, "3")
    await call(flows, "two", 11, "0", status="unpriced", run="one")
    await flows.follow()
    [row] = (await ask(acme))["rows"]
    assert (row["cost"], row["unpriced_events"], row["lower_bound"], row["sessions"]) == ("3", 1, True, 1)


async def test_it_is_a_table_for_spreadsheets(acme: httpx.AsyncClient, flows: Flows) -> None:
    await call(flows, "one", 11, "3")
    await flows.follow()
    answer = await acme.get("/v1/coding-agents", params={"from": SINCE}, headers={"Accept": "text/csv"})
    header, line, *_ = answer.text.splitlines()
    assert header.startswith("tool,team,small_teams,people,currency,cost")
    assert line.startswith("claude-code,web,0,,USD,3,3,0,0,0")


@pytest.mark.parametrize(
    "asked", [{"days": "3"}, {"from": "2020-01-01"}, {"seats": "cursor"}, {"seats": "=a/b"}, {"tool": "x\0"}]
)
async def test_what_cannot_be_asked_is_refused(acme: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    await ask(acme, 422, **asked)
