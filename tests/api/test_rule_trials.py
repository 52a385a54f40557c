"""How good rules are and how they would have done: asked over the API, by tenant."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from services.api.http.openapi import EXAMPLES
from services.api.rules.dry_runs import DAYS_MAX
from spendmeter.contracts.alert_rules import RULE_KINDS
from tests.api.book import Book
from tests.api.test_governing import incident

ID = "r"
"""The rule of the incidents that `incident` makes: an own one here."""


async def own_rule(book: Book) -> None:
    await book.connection.execute(
        "INSERT INTO alert_rules (tenant, rule_id, of, name, severity, enabled, reason, by) "
        "VALUES ('acme', 'r', 'burst', 'Bursts', 'critical', true, 'because', 'ann')"
    )


async def test_the_quality_of_a_rule_counts_its_own_incidents_and_what_people_made_of_them(
    acme: httpx.AsyncClient, book: Book
) -> None:
    """Five of 5.02 - 0.5 = 4.52 each in the last days: one in hand, four for nothing; one more is older."""
    await own_rule(book)
    now = datetime.now(UTC)
    for number in range(1, 6):
        await incident(book, "acme", UUID(int=number), opened_at=now - timedelta(days=number))
    await incident(book, "acme", UUID(int=6), opened_at=now - timedelta(days=60))
    await incident(book, "globex", UUID(int=7), opened_at=now)
    assert (await acme.post(f"/v1/incidents/{UUID(int=1)}/acknowledge", json={})).status_code == 200
    for number in range(2, 6):
        answer = await acme.post(f"/v1/incidents/{UUID(int=number)}/feedback", json={"says": "false_alarm"})
        assert answer.status_code == 200, answer.text
    quality = (await acme.get(f"/v1/rules/{ID}/quality")).json()
    month, quarter = quality["records"]
    assert (month["incidents"], month["per_day"], month["acknowledged"]) == (5, "0.17", 1)
    assert (month["false_alarm"], month["without_feedback"], month["precision"]) == (4, 1, "0.2")
    assert month["money"] == {"USD": "22.6"}
    assert (quarter["incidents"], quarter["money"]) == (6, {"USD": "27.12"})
    assert quality["proposal"] is None  # no gate tells 4.52 from 4.52
    await book.connection.execute("UPDATE incidents SET amount = 100 WHERE id = $1", UUID(int=1))
    proposal = (await acme.get(f"/v1/rules/{ID}/quality")).json()["proposal"]
    assert proposal == {
        "setting": "amount_min", "now": "1", "value": "4.6", "noise": 4, "spares": 4, "keeps": 1,
    }  # fmt: skip
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    assert (await acme.get(f"/v1/rules/{ID}/quality")).status_code == 404


async def test_a_dry_run_is_asked_for_with_other_settings_and_shows_what_came_of_it(
    acme: httpx.AsyncClient, book: Book
) -> None:
    asked = await acme.post("/v1/rules/minute-burst/dry-run", json={"settings": {"amount_min": "25.0"}})
    assert asked.status_code == 202, asked.text
    run = asked.json()
    assert (run["state"], run["settings"], run["days"]) == ("waiting", {"amount_min": "25"}, 7)
    path = f"/v1/rules/minute-burst/dry-run/{run['id']}"
    assert (await acme.get(path)).json() == run
    [listed] = (await acme.get("/v1/rules/minute-burst/dry-runs")).json()["dry_runs"]
    assert listed == run
    assert (await acme.get(f"/v1/rules/loop/dry-run/{run['id']}")).status_code == 404
    assert (await acme.get("/v1/rules/minute-burst")).json()["revision"] == 0
    done = EXAMPLES["dry_run"]["result"]
    await book.connection.execute(
        "UPDATE rule_dry_runs SET state = 'done', progress = 1, result = $1, finished_at = now()",
        json.dumps(done),
    )
    finished = (await acme.get(path)).json()
    assert (finished["state"], finished["result"]) == ("done", done)
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await acme.get(path)).status_code == 404
    assert (await acme.get("/v1/rules/minute-burst/dry-runs")).json() == {"dry_runs": []}


@pytest.mark.parametrize(
    ("rule", "body", "status", "says"),
    [
        ("lasting-shift", {"days": 29}, 422, "is at most 28"),
        ("unreserved", {"settings": {"subjects": []}}, 422, "is a list"),
        ("silence", {"days": 8}, 422, "is at most 7"),
        ("silence", {"settings": {"subjects": ["lag", "catalog"]}}, 409, "subjects has no source"),
        ("unusual-hour", {"days": 29}, 422, "is at most 28"),
        ("unbooked-rate", {"days": 29}, 422, "is at most 28"),
        ("burn", {"days": 29}, 422, "is at most 28"),
        ("minute-burst", {"days": 8}, 422, "is at most 7"),
        ("loop", {"days": 31}, 422, "days"),
        ("loop", {"settings": {"calls_min": "1"}}, 422, "is at least 5"),
        ("loop", {"filter": {"colour": "red"}}, 422, "is no dimension"),
        ("none-such", {}, 404, "there is no rule"),
    ],
)
async def test_what_cannot_be_tried_is_refused_with_the_reason(
    acme: httpx.AsyncClient, rule: str, body: dict[str, object], status: int, says: str
) -> None:
    refused = await acme.post(f"/v1/rules/{rule}/dry-run", json=body)
    assert (refused.status_code, says in refused.text) == (status, True), refused.text


def test_a_rule_of_each_kind_can_be_tried_for_some_days() -> None:
    assert DAYS_MAX.keys() == RULE_KINDS.keys()


async def test_four_weeks_of_hours_can_be_tried(acme: httpx.AsyncClient, book: Book) -> None:
    body = {"days": 28, "settings": {"amount_min": "10"}, "filter": {"agent": "batch"}}
    asked = await acme.post("/v1/rules/unusual-hour/dry-run", json=body)
    assert asked.status_code == 202, asked.text
    row = await book.connection.fetchrow("SELECT rule_id, of, days FROM rule_dry_runs")
    assert row is not None
    assert tuple(row) == ("unusual-hour", "hour", 28)


async def test_two_dry_runs_of_a_tenant_at_once_are_enough(acme: httpx.AsyncClient, book: Book) -> None:
    path = "/v1/rules/loop/dry-run"
    for status in (202, 202, 409):
        assert (await acme.post(path, json={})).status_code == status
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await acme.post(path, json={})).status_code == 202
