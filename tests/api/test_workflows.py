"""Versions of a workflow, out of real books: folded and kept by the corrector's own code, asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.api.accounting.completeness import UNFOLDED_MAX
from services.corrector.outcomes.intake import collect
from services.corrector.outcomes.keep import keep, read_position
from services.corrector.projections.projector import Projector
from services.corrector.workflows.keeper import MomentsKeeper
from spendmeter.contracts.events import Labels, UsageData, UsageEvent
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.api.test_workflow_acts import BY_HAND, put
from tests.databases import SECRET

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


class Flows:
    """Runs and outcomes as they come to be in the book."""

    def __init__(self, book: Book, pool: asyncpg.Pool) -> None:
        self.book, self.pool = book, pool
        self._told: list[bytes] = []

    async def run(
        self, run: str, ago: float, amount: str, *, accepted: bool | None = True, **said: Any
    ) -> None:
        """A run of two calls, the second at noon so many days ago; accepted None = it has no outcome."""
        for minutes, part in ((-30, "0"), (0, amount)):
            await self.event(f"{run}.{minutes}", run, ago, part, minutes=minutes, **said)
        if accepted is not None:
            self.say(f"o-{run}", ago, name="done", accepted=accepted, labels={"run": run})

    async def event(
        self, id: str, run: str, ago: float, amount: str, *, version: str = "v2", team: str = "web",
        minutes: float = 0, tenant: str = "acme", status: str = "priced", currency: str = "USD", **data: Any,
    ) -> None:  # fmt: skip
        at = NOON - timedelta(days=ago) + timedelta(minutes=minutes)
        labels = Labels(run=run, workflow="refund", workflow_version=version, team=team)
        said = {"provider": "openai", "sku": "gpt-4o", "usage": {"requests": 1}, "labels": labels, **data}
        event = UsageEvent(
            specversion="1.0", type="spendmeter.usage.v1", source="bot", subject="s", id=id, tenant=tenant,
            keyid="k1", time=at, receivedat=at, data=UsageData(**said),
        )  # fmt: skip
        await self.book.entry(event, amount, [], status=status, currency=currency)

    def say(self, id: str, ago: float, tenant: str = "acme", **data: Any) -> None:
        event = {"specversion": "1.0", "type": OUTCOME_TYPE, "id": id, "source": "bot", "subject": "s"}
        at = (NOON - timedelta(days=ago)).isoformat()
        self._told.append(msgspec.json.encode({**event, "tenant": tenant, "time": at, "data": data}))

    async def follow(self) -> None:
        async with self.pool.acquire() as connection:
            place = await read_position(connection, "topic")
            told = list(enumerate(self._told))
            await keep(connection, place, collect(place.position, told))
        end = self.book._offset + 1
        await self.book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
        await Projector(pool=self.pool, meters=Meters()).catch_up()
        await MomentsKeeper(pool=self.pool, meters=Meters()).catch_up()


@pytest.fixture
async def flows(book: Book, database_url: str) -> AsyncIterator[Flows]:
    url = role_url(database_url, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        yield Flows(book, pool)


async def compare(client: httpx.AsyncClient, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/workflows/comparison", params={"workflow": "refund", **asked})
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def of(body: dict[str, Any], version: str = "v2") -> dict[str, Any]:
    found: dict[str, Any] = {each["version"]: each for each in body["versions"]}[version]
    return found


def figure(body: dict[str, Any], name: str, version: str = "v2") -> dict[str, Any]:
    found: dict[str, Any] = {each["name"]: each for each in of(body, version)["figures"]}[name]
    return found


async def six_days(flows: Flows, **said: Any) -> None:
    """Of each of six days, 20 to 25 days ago, seven runs: six accepted, one without any outcome; 0.10 each."""
    for ago in range(20, 26):
        for number in range(7):
            await flows.run(f"r{ago}.{number}", ago, "0.10", accepted=True if number else None, **said)


async def test_a_run_without_an_outcome_costs_and_young_runs_are_on_neither_side(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """42 runs of 0.10 over 36 accepted: 0.116666666667. Those of three days ago are younger than 14 days."""
    await six_days(flows)
    await flows.run("young", 3, "99")
    await flows.event("other", "r", 20, "7", tenant="globex")
    await flows.follow()
    body = await compare(acme)
    found = of(body)
    assert (found["runs"], found["young_runs"], found["calls"], found["accepted"]) == (42, 1, 84, "36")
    assert figure(body, "cost_per_run")["value"] == "0.1"
    assert figure(body, "cost_per_accepted")["value"] == "0.116666666667"
    assert figure(body, "attempts_per_success")["value"] == "2.333333333333"
    assert figure(body, "cycle_hours")["value"] == "0.5"
    assert (body["outcome"], body["pending"], found["top_runs"]) == ("done", False, 1)
    table = await acme.get(
        "/v1/workflows/comparison", params={"workflow": "refund"}, headers={"Accept": "text/csv"}
    )
    header, first, *rest = table.text.splitlines()
    named = dict(zip(header.split(","), first.split(","), strict=True))
    assert (named["version"], named["name"], named["value"], named["currency"], named["runs"]) == (
        "v2", "cost_per_run", "0.1", "USD", "42",
    )  # fmt: skip
    assert len(rest) == len(found["figures"]) - 1
    # Without the one dearest run: 4.10 over 36 or 35, whichever of the equal ones that is.
    assert figure(body, "cost_per_accepted")["without_top"] in ("0.113888888889", "0.117142857143")


async def test_while_days_are_made_again_from_the_book_the_answer_says_so(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await flows.run("r1", 20, "0.10")
    await flows.follow()
    assert not (await compare(acme))["pending"]
    for more, pending in ((20_000, False), (20_001, True)):  # beyond what one batch waits for
        end = flows.book._offset + 1 + more
        await flows.book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
        assert (await compare(acme))["pending"] is pending


async def test_runs_that_are_too_young_to_be_judged_are_added_up_all_the_time_and_that_is_no_news(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await flows.run("old", 20, "0.10")
    await flows.run("young", 3, "0.10")
    await flows.follow()
    due = "INSERT INTO run_days_due (tenant, day, run) VALUES ('acme', $1, $2)"
    for run, ago, pending in (("young", 3, False), ("old", 2, True), ("another", 20, True)):
        await flows.pool.execute(due, (NOON - timedelta(days=ago)).date(), run)
        assert (await compare(acme))["pending"] is pending
        await flows.pool.execute("DELETE FROM run_days_due")


async def test_a_reversal_ten_days_later_changes_what_an_accepted_outcome_costs_and_leaves_a_trail(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """4.20 over 36, then over 35: 0.12. One more after 16 days changes nothing, and is said."""
    await six_days(flows)
    await flows.follow()
    assert figure(await compare(acme), "cost_per_accepted")["value"] == "0.116666666667"
    flows.say("again-1", 15, reverses="o-r25.1")
    flows.say("again-2", 9, reverses="o-r25.2")
    await flows.follow()
    body = await compare(acme)
    assert figure(body, "cost_per_accepted")["value"] == "0.12"
    assert (of(body)["reversed"], of(body)["reversed_later"]) == ("1", "1")
    await put(acme, "settings", survival_days=16)
    assert of(await compare(acme))["reversed"] == "2"


async def test_below_n_it_says_so(acme: httpx.AsyncClient, flows: Flows) -> None:
    await flows.run("r1", 20, "0.10")
    await flows.follow()
    found = figure(await compare(acme), "cost_per_accepted")
    assert found["value"] is None
    assert found["missing"] == [
        "insufficient data: 1 accepted outcomes, 30 are needed",
        "insufficient data: 1 days, 5 are needed",
    ]


async def test_the_dearest_runs_of_a_team_are_not_known_where_others_are_dearer_each_day(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """A day has 25 runs of core at 1 and ten of web at 0.10: of 35 the 20 dearest are kept, and none is of web. Of all 175 runs
    two are the dearest: 130 less 2, over 175 less 2."""
    for ago in range(20, 25):
        for number in range(25):
            await flows.run(f"c{ago}.{number}", ago, "1", team="core")
        for number in range(10):
            await flows.run(f"w{ago}.{number}", ago, "0.10", team="web")
    await flows.follow()
    of_web = await compare(acme, team="web")
    assert (of(of_web)["top_runs"], figure(of_web, "cost_per_accepted")["without_top"]) == (0, None)
    assert figure(of_web, "cost_per_accepted")["value"] == "0.1"
    of_all = await compare(acme)
    assert (of(of_all)["top_runs"], figure(of_all, "cost_per_accepted")["without_top"]) == (
        2,
        "0.739884393064",
    )
    assert of(of_web)["dearest"] == []
    assert [run["cost"] for run in of(of_all)["dearest"]] == ["1"] * 10


async def test_a_version_says_when_it_came_and_which_of_its_runs_were_the_dearest_young_ones_too(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """It came 30 days ago, which nobody asks for here; its dearest run has cost 3 and 4 in euros, two days ago."""
    await flows.run("first", 30, "5")
    for number in range(12):
        await flows.run(f"r{number}", 20, f"0.{number:02}", cost_class="tool" if number == 11 else "model")
    await flows.run("young", 2, "3")
    await flows.event("euros", "young", 2, "4", currency="EUR")
    await flows.follow()
    found = of(await compare(acme, **{"from": f"{NOON - timedelta(days=25):%Y-%m-%d}"}))
    assert found["first_seen"] == f"{NOON - timedelta(days=30):%Y-%m-%d}"
    assert [(run["run"], run["cost"], run["currency"]) for run in found["dearest"]] == [
        ("young", "4", "EUR"),
        ("young", "3", "USD"),
        *[(f"r{number}", f"0.{number:02}".rstrip("0"), "USD") for number in range(11, 2, -1)],
    ]
    run = found["dearest"][2]
    assert (run["ai"], run["adjacent"], run["human"], run["calls"]) == ("0", "0.11", "0", 2)
    assert (run["day"], run["team"]) == (f"{NOON - timedelta(days=20):%Y-%m-%d}", "web")
    [listed] = (await acme.get("/v1/workflows")).json()["workflows"][0]["versions"]
    assert listed["first_day"] == found["first_seen"]
    table = await acme.get("/v1/workflows", headers={"Accept": "text/csv"})
    header, listed_line = table.text.splitlines()
    assert header == (
        "workflow,version,kind,runs,first_day,last_day,cost_per_accepted,currency,lower_bound,missing"
    )
    assert listed_line.startswith(f"refund,v2,,14,{found['first_seen']},")
    by_hand = await compare(acme, version=["v2", "v9"])
    assert (of(by_hand, "v9")["first_seen"], of(by_hand, "v9")["dearest"]) == (None, [])


async def test_people_and_what_names_no_run_are_part_of_it_each_by_its_name(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """4.20 of a model, 42 runs; half an hour of review at 80: 40; a database of 6 that names no run: 50.20 / 36."""
    await six_days(flows)
    labour: dict[str, Any] = {
        "cost_class": "labour",
        "provider": "acme",
        "sku": "review",
        "usage": {"labour_hours": "0.5"},
    }
    await flows.event("review", "r20.1", 20, "40", **labour)
    await flows.event("db", "", 20, "6", cost_class="database")
    await flows.follow()
    body = await compare(acme)
    [spent] = of(body)["costs"]
    assert (spent["ai"], spent["human"], spent["adjacent"], spent["without_run"]) == ("4.2", "40", "6", "6")
    assert figure(body, "cost_per_accepted")["value"] == "1.394444444444"
    assert figure(body, "human_minutes_per_accepted")["value"] == "0.833333333333"


async def test_two_currencies_are_shown_side_by_side_and_no_cost_is_said_of_both(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    await six_days(flows)
    await flows.event("eur", "r20.1", 20, "3", currency="EUR", status="unpriced")
    await flows.follow()
    body = await compare(acme)
    assert [(each["currency"], each["total"], each["unpriced_events"]) for each in of(body)["costs"]] == [
        ("EUR", "3", 1),
        ("USD", "4.2", 0),
    ]
    assert "never added" in figure(body, "cost_per_accepted")["missing"][0]
    assert figure(body, "success_share")["value"] == "0.857142857143"


async def test_before_ai_stands_beside_and_it_is_said_what_is_saved_and_that_nobody_caused_it(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """12.60 + 0.35 a case, 4 % done wrong: 13.489583333333 an accepted one."""
    await six_days(flows)
    await flows.follow()
    await put(acme, "versions", version="by hand", kind="baseline", baseline=BY_HAND)
    await put(
        acme, "versions", version="v2", kind="reimagined", change_cost={"amount": "1000", "currency": "USD"}
    )
    body = await compare(acme)
    assert [(each["version"], each["kind"], each["entered"]) for each in body["versions"]] == [
        ("by hand", "baseline", True),
        ("v2", "reimagined", False),
    ]
    assert figure(body, "cost_per_accepted", "by hand")["value"] == "13.489583333333"
    assert figure(body, "cost_per_accepted", "by hand")["low"] is None
    [difference] = body["differences"]
    assert difference["claim"].startswith("observed, not caused")
    assert difference["figures"][0]["value"] == "-13.372916666666"
    assert difference["payback_months"] is not None
    [listed] = (await acme.get("/v1/workflows")).json()["workflows"]
    assert [
        (each["version"], each["cost_per_accepted"], each["currency"]) for each in listed["versions"]
    ] == [
        ("v2", "0.116666666667", "USD"),
        ("by hand", "13.489583333333", "USD"),
    ]


async def test_the_list_says_what_an_accepted_outcome_costs_as_the_comparison_does(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """4.20 over 36; of v3, five of 0.10 that all came to nothing; young ones are on neither side."""
    await six_days(flows)
    for number in range(5):
        await flows.run(f"failed{number}", 20 + number, "0.10", accepted=False, version="v3")
    await flows.run("young", 3, "99")
    await flows.follow()
    answer = (await acme.get("/v1/workflows")).json()
    body = await compare(acme)
    [workflow] = answer["workflows"]
    assert (answer["pending"], workflow["mature_until"]) == (False, body["mature_until"])
    listed = {each["version"]: each for each in workflow["versions"]}
    assert listed["v2"]["cost_per_accepted"] == "0.116666666667"
    for version in ("v2", "v3"):
        said = figure(body, "cost_per_accepted", version)
        same = {name: listed[version][name] for name in ("lower_bound", "missing")}
        assert same == {name: said[name] for name in ("lower_bound", "missing")}
        assert listed[version]["cost_per_accepted"] == said["value"]
    assert listed["v3"]["missing"] == ["insufficient data: 0 accepted outcomes, 30 are needed"]
    await flows.book.connection.execute(
        "UPDATE positions SET next_origin = next_origin + $1, booked = booked + $1", UNFOLDED_MAX + 1
    )
    assert (await acme.get("/v1/workflows")).json()["pending"] is True


async def test_of_more_than_one_event_in_a_hundred_without_a_price_no_cost_is_said_and_of_fewer_a_bound(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """84 events and one that has no price: 1.2 %. With 15 more 1 in 100: 4.20 over 36, and 36 x 2 over 4.20."""
    await six_days(flows)
    await flows.event("unknown", "r20.1", 20, "0", status="unpriced")
    await put(acme, "settings", value_per_accepted={"amount": "2", "currency": "USD"})
    await flows.follow()
    body = await compare(acme)
    for name in ("cost_per_accepted", "roi_multiple"):
        assert figure(body, name)["missing"] == ["1 of 85 events have no price"]
    assert figure(body, "value_per_accepted")["value"] == "2"
    for number in range(15):
        await flows.event(f"more{number}", "r20.1", 20, "0")
    await flows.follow()
    body = await compare(acme)
    cost, worth = figure(body, "cost_per_accepted"), figure(body, "roi_multiple")
    assert (cost["value"], cost["lower_bound"], cost["upper_bound"]) == ("0.116666666667", True, False)
    assert (worth["value"], worth["lower_bound"], worth["upper_bound"]) == ("17.142857142857", False, True)


async def test_what_cannot_be_asked_is_refused_by_its_name(acme: httpx.AsyncClient) -> None:
    assert (await compare(acme, 404))["title"] == "Not found"
    refused = await compare(acme, 422, **{"from": "2026-11-02", "to": "2026-11-01"})
    assert [each["field"] for each in refused["errors"]] == ["from"]
    await compare(acme, 422, days=3)
    for strange in ({"from": "9999-12-31"}, {"to": "0001-01-01"}, {"from": "2024-01-01"}):
        await compare(acme, 422, **strange)
