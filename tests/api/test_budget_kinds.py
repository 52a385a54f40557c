"""Budgets of years, stated days, last hours and of each value, and those within each other, as api sets and shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.book import Book


async def make(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.post("/v1/budgets", json={"name": "b", "amount": "100", **asked})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_stated_days_are_shown_also_when_they_are_over(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-03-03T12:00:00+00:00", "7")
    made = await make(acme, period="custom", starts_on="2026-03-01", ends_on="2026-03-11")
    assert (made["starts_on"], made["ends_on"], made["spent"]) == ("2026-03-01", "2026-03-11", "7")
    assert datetime.fromisoformat(made["period_end"]).day == 11
    url = f"/v1/budgets/{made['id']}"
    longer = (await acme.patch(url, json={"ends_on": "2026-03-21"})).json()
    assert (longer["starts_on"], longer["ends_on"], longer["revision"]) == ("2026-03-01", "2026-03-21", 2)
    month = (await acme.patch(url, json={"period": "month"})).json()
    assert (month["period"], month["starts_on"], month["revision"]) == ("month", None, 3)


async def test_the_last_hours_count_what_lies_in_them(acme: httpx.AsyncClient, book: Book) -> None:
    now = datetime.now(UTC)
    for hours, amount in ((0, "1"), (1, "2"), (5, "4")):
        await book.spend("acme", (now - timedelta(hours=hours)).isoformat(), amount)
    made = await make(acme, period="rolling", last_hours=3)
    assert (made["spent"], made["forecast_thresholds_percent"]) == ("3", [])
    start, end = (datetime.fromisoformat(made[name]) for name in ("period_start", "period_end"))
    assert end - start == timedelta(hours=3)


async def test_a_budget_of_each_value_says_nothing_of_one_spend(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "7", agent="ranker")
    made = await make(acme, each="agent", period="day")
    assert (made["each"], made["spent"], made["percent"]) == ("agent", None, None)
    user = await make(acme, each="user")
    assert datetime.fromisoformat(user["period_start"]).astimezone(UTC).day == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"period": "rolling"}, "last_hours: is needed"),
        ({"period": "rolling", "last_hours": 24, "hard": {}}, "hard: is not for the period rolling"),
        (
            {"period": "rolling", "last_hours": 24, "forecast_thresholds_percent": [100]},
            "forecast_thresholds_percent: are not for the period rolling",
        ),
        ({"period": "custom", "starts_on": "2026-03-01"}, "ends_on: is needed"),
        ({"last_hours": 24}, "last_hours: is for the period rolling"),
        ({"each": "agnet"}, "each: 'agnet' is not one of"),
        ({"each": "user", "period": "day"}, "period: a budget of each user"),
        ({"each": "run", "filter": {"team": "a"}}, "filter: of runs 'team' is not known"),
        ({"each": "agent", "hard": {}}, "hard: is not for a budget of each value"),
    ],
)
async def test_what_cannot_be_together_is_refused_with_the_reason(
    acme: httpx.AsyncClient, book: Book, asked: dict[str, Any], reason: str
) -> None:
    answer = await acme.post("/v1/budgets", json={"name": "b", "amount": "100", **asked})
    assert (answer.status_code, reason in answer.json()["detail"]) == (422, True), answer.text


async def test_a_change_makes_nothing_that_could_not_have_been_set(
    acme: httpx.AsyncClient, book: Book
) -> None:
    hard = await make(acme, hard={})
    url = f"/v1/budgets/{hard['id']}"
    rolling = {"period": "rolling", "last_hours": 24}
    for more in ({}, {"hard": False}):
        assert (await acme.patch(url, json=rolling | more)).status_code == 422
    changed = await acme.patch(url, json=rolling | {"hard": False, "forecast_thresholds_percent": []})
    assert (changed.status_code, changed.json()["hard"]) == (200, None)
    assert (await acme.patch(url, json={"hard": {}})).status_code == 422
    back = await acme.patch(url, json={"period": "day", "hard": {}})
    assert (back.status_code, back.json()["hard"] is None, back.json()["last_hours"]) == (200, False, None)
    each = await make(acme, each="agent")
    assert (await acme.patch(f"/v1/budgets/{each['id']}", json={"filter": {"agent": "a"}})).status_code == 422


async def test_budgets_say_what_they_lie_within_and_what_is_promised_of_them(
    acme: httpx.AsyncClient, book: Book
) -> None:
    whole = await make(acme, amount="1000")
    search = await make(acme, amount="300", filter={"team": "search"})
    ads = await make(acme, amount="250", filter={"team": "ads"})
    day = await make(acme, amount="20", filter={"team": "search"}, period="day")
    listed = {each["id"]: each for each in (await acme.get("/v1/budgets")).json()["budgets"]}
    assert listed[whole["id"]]["allocated"] == {"budgets": 2, "amount": "550", "overlap": False}
    assert (listed[search["id"]]["parents"], listed[ads["id"]]["parents"]) == ([whole["id"]], [whole["id"]])
    assert (listed[day["id"]]["parents"], listed[day["id"]]["allocated"]) == ([search["id"]], None)
    assert (await acme.get(f"/v1/budgets/{day['id']}")).json() == listed[day["id"]]


async def test_more_of_what_has_no_end_is_given_for_good_alone(acme: httpx.AsyncClient, book: Book) -> None:
    made = await make(acme, period="rolling", last_hours=24)
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'reserve')}"
    asked = await acme.post(f"/v1/budgets/{made['id']}/requests", json={"amount": "5", "reason": "more"})
    assert asked.status_code == 201, asked.text
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'admin')}"
    url = f"/v1/budget-requests/{asked.json()['id']}/approve"
    refused = await acme.post(url, json={"reason": "fine", "lasts": "period"})
    assert (refused.status_code, "raise it for good" in refused.json()["detail"]) == (409, True)
    assert (await acme.post(url, json={"reason": "fine", "lasts": "for_good"})).status_code == 200
    assert (await acme.get(f"/v1/budgets/{made['id']}")).json()["amount"] == "105"
