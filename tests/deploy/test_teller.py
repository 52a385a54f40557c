"""How the story is told: once, whatever stops in between, and what people say of it in words that api takes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter

from deploy.demo import acts as acts_module
from deploy.demo.acts import Acts, dated, digest
from deploy.demo.mark import Mark, MarkFile
from deploy.demo.story import STORY, between
from deploy.demo.teller import Teller, begun
from services.api.allocations.models import NewVersion
from services.api.assets.entries import Activity
from services.api.assets.models import NewAsset
from services.api.budgets.models import NewBudget
from services.api.choice.decision_models import NewDecision
from services.api.workflows.models import NewVersionSettings, NewWorkflowSettings

NOW = datetime.now(UTC)
DAYS = 2
BODIES: dict[str, Any] = {
    "/v1/workflows/settings": NewWorkflowSettings,
    "/v1/workflows/versions": NewVersionSettings,
    "/v1/assets": NewAsset,
    "/v1/allocation-plans/team": NewVersion,
    "/v1/models/decisions": NewDecision,
    "/v1/assets/claude-code-seats/activity": Activity,
    "/v1/assets/codex-seats/activity": Activity,
}


class FakeIngest:
    """Takes batches, and stops the one who sends after so many of them."""

    def __init__(self, stop: asyncio.Event, batches: int = 10**6) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self._stop, self._left = stop, batches

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["authorization"]
        batch = json.loads(request.content)
        assert len(batch) <= 500
        self.events.update((key, event["id"]) for event in batch)
        self._left -= 1
        if self._left == 0:
            self._stop.set()
        return httpx.Response(204)


def teller(file: MarkFile, mark: Mark, ingest: FakeIngest, stop: asyncio.Event) -> Teller:
    client = httpx.AsyncClient(transport=httpx.MockTransport(ingest), base_url="http://ingest")
    return Teller(file, mark, client, {name: name for name in ("acme", "globex", "initech")}, stop)


def test_a_story_begins_at_a_midnight() -> None:
    mark = begun(60, datetime(2026, 11, 27, 15, tzinfo=UTC), "k")
    assert mark.first_day == date(2026, 11, 27)
    assert mark.told_until == datetime(2026, 9, 28, tzinfo=UTC)


async def test_history_is_told_whole_and_once_and_the_next_start_tells_only_what_came_since(
    tmp_path: Path,
) -> None:
    file, stop, said = MarkFile(tmp_path / "mark"), asyncio.Event(), list[str]()
    ingest = FakeIngest(stop)
    first = teller(file, begun(DAYS, NOW, "k"), ingest, stop)
    await first.catch_up(said.append)
    mark = file.read("k")
    assert mark is not None
    assert mark == first.mark
    expected = list(between(begun(DAYS, NOW, "k").told_until, mark.told_until, mark.first_day))
    assert ingest.events == Counter((f"Bearer {tenant}", event["id"]) for _, tenant, event in expected)
    assert said[-1].startswith(f"history: {len(expected):,} events of ")
    again = FakeIngest(stop)
    await teller(file, mark, again, stop).catch_up(said.append)
    assert not again.events & ingest.events


async def test_after_a_stop_in_the_middle_the_rest_is_told(tmp_path: Path) -> None:
    file, stop = MarkFile(tmp_path / "mark"), asyncio.Event()
    before = FakeIngest(stop, batches=6)  # on the second day: of a weekend each has three, of others four
    begin = begun(DAYS + 3, NOW, "k")
    await teller(file, begin, before, stop).catch_up(lambda _: None)
    reached = file.read("k")
    assert reached is not None
    assert begin.told_until < reached.told_until < NOW - timedelta(days=1)
    stop.clear()
    after = FakeIngest(stop)
    second = teller(file, reached, after, stop)
    await second.catch_up(lambda _: None)
    told = between(begin.told_until, second.mark.told_until, begin.first_day)
    assert set(before.events + after.events) == {
        (f"Bearer {tenant}", event["id"]) for _, tenant, event in told
    }


def test_another_database_is_told_the_story_anew(tmp_path: Path) -> None:
    file = MarkFile(tmp_path / "mark")
    assert file.read("k") is None
    file.write(begun(DAYS, NOW, "k"))
    assert file.read("k") is not None
    assert file.read("another") is None


@pytest.mark.parametrize("act", STORY.acts, ids=lambda act: f"{act.path} {digest(act)}")
def test_what_people_say_is_what_api_takes(act: Any) -> None:
    body = dated(act.body, NOW.date())
    model: Any = BODIES[act.path]
    read = TypeAdapter(model).validate_json(json.dumps(body))
    assert not isinstance(read, BaseModel) or read.model_fields_set


def test_days_in_what_people_say_are_those_of_the_story() -> None:
    said = dated({"a": {"day": -2}, "b": [{"day": 0}, {"day": "x"}], "c": 1}, date(2026, 11, 27))
    assert said == {"a": "2026-11-25", "b": ["2026-11-27", {"day": "x"}], "c": 1}


async def test_each_act_is_said_once_and_a_refusal_is_told_and_tried_again() -> None:
    asked, told, done = list[str](), list[str](), list[str]()

    def api(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.headers['x-spendmeter-tenant']} {request.method} {request.url.path}")
        return httpx.Response({"/v1/assets": 409, "/v1/workflows/settings": 422}.get(request.url.path, 200))

    client = httpx.AsyncClient(transport=httpx.MockTransport(api), base_url="http://api")
    acts = Acts(client, "key", NOW.date())
    await acts.say((), done.append, told.append, booked=False)
    first = [act for act in STORY.acts if not act.booked]
    assert asked == [f"{act.tenant} {act.method} {act.path}" for act in first]
    assert len(done) == len(first) - 1  # there already is done; refused is not
    assert [line.split(" is answered ")[1][:3] for line in told] == ["422"]
    asked.clear()
    await acts.say(done, done.append, told.append, booked=False)
    assert asked == ["acme PUT /v1/workflows/settings"]


async def test_budgets_are_set_once_and_none_of_a_name_that_is_there_already() -> None:
    """The demo was killed after it had set the first one, and before it had noted so."""
    there = {"acme": [STORY.budgets[0].name], "globex": [], "initech": []}
    refused, told, done = {STORY.budgets[1].name}, list[str](), list[str]()

    def api(request: httpx.Request) -> httpx.Response:
        names = there[request.headers["x-spendmeter-tenant"]]
        if request.method == "GET":
            return httpx.Response(200, json={"budgets": [{"name": name} for name in names]})
        body = json.loads(request.content)
        NewBudget.model_validate(body)
        if body["name"] in refused:
            return httpx.Response(422, text="no")
        names.append(body["name"])
        return httpx.Response(201)

    client = httpx.AsyncClient(transport=httpx.MockTransport(api), base_url="http://api")
    acts = Acts(client, "key", NOW.date())
    await acts.set_budgets(done, done.append, told.append)
    assert told == [f"history: budget {STORY.budgets[1].name} is answered 422: no"]
    assert not done
    refused.clear()
    await acts.set_budgets(done, done.append, told.append)
    assert done == ["budgets"]
    assert sorted(chain(*there.values())) == sorted(budget.name for budget in STORY.budgets)
    there["acme"].clear()  # somebody took them away
    await acts.set_budgets(done, done.append, told.append)
    assert there["acme"] == []


async def test_what_is_worked_out_from_views_is_said_once_they_have_what_the_book_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acts_module, "ASKED_EVERY_S", 0.001)
    folded = iter([[], [{"calls": 3}], [{"calls": 7}]])
    asked = list[str]()

    def api(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        assert request.url.params["from"] == "2026-11-25T00:00:00Z"
        assert request.url.params["to"] == "2026-11-27T00:00:00Z"
        booked = {"totals": [{"events": 4}, {"events": 3}]}
        return httpx.Response(
            200, json=booked if request.url.path == "/v1/spend" else {"traffic": next(folded)}
        )

    client = httpx.AsyncClient(transport=httpx.MockTransport(api), base_url="http://api")
    await Acts(client, "key", date(2026, 11, 27)).until_folded(2)
    assert asked == ["/v1/spend", "/v1/models/compare"] * 3
