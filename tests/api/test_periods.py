"""/v1/periods: which months are closed, closing the next one, and reopening the last."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.api.periods.models import AccountingPeriods
from services.corrector.closings.keeper import ClosingsKeeper
from spendmeter.contracts.periods import add_months
from tests.api.book import Book
from tests.corrector.closing_world import close_all, keeper_of

THIS = add_months(datetime.now(UTC).date(), 0)
LAST, BEFORE, FIRST = (add_months(THIS, -months) for months in (1, 2, 3))


@pytest.fixture
async def keeper(database_url: str) -> AsyncIterator[ClosingsKeeper]:
    async with keeper_of(database_url) as made:
        yield made


@pytest.fixture
async def booked(acme: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    """acme's client; acme spent 3 two months ago, and 4 last month."""
    await book.spend("acme", f"{BEFORE:%Y-%m}-10T10:00Z", "3")
    await book.spend("acme", f"{LAST:%Y-%m}-10T10:00Z", "4")
    return acme


async def periods(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/periods", params=asked)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert AccountingPeriods.model_validate(body).model_dump(mode="json") == body, "as documented"
    return {each["period"]: each for each in body["periods"]}


async def act(client: httpx.AsyncClient, month: Any, act: str, status: int, **body: Any) -> Any:
    answer = await client.post(f"/v1/periods/{month:%Y-%m}/{act}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_periods_are_the_months_back_to_the_first_with_anything_booked(
    booked: httpx.AsyncClient,
) -> None:
    found = await periods(booked)
    assert list(found) == [f"{month:%Y-%m}" for month in (THIS, LAST, BEFORE)]
    assert [each["state"] for each in found.values()] == ["open"] * 3
    assert [each["may_close"] for each in found.values()] == [False, False, True]


async def test_a_period_is_closed_with_what_it_has_and_by_whom(
    booked: httpx.AsyncClient, keeper: ClosingsKeeper
) -> None:
    asked = await act(booked, BEFORE, "close", 202, note="as agreed")
    assert (asked["state"], asked["closings"][0]["closed_at"]) == ("closing", None)
    await close_all(keeper)
    found = (await periods(booked))[f"{BEFORE:%Y-%m}"]
    [closing] = found["closings"]
    assert (found["state"], found["may_reopen"]) == ("closed", True)
    assert (closing["note"], closing["number"]) == ("as agreed", 1)
    assert closing["closed_by"].startswith("key ")
    assert closing["sums"] == [
        {"currency": "USD", "events": 1, "list": "3", "contracted": "3", "effective": "3"}
    ]


async def test_periods_are_closed_in_their_order_and_only_when_they_are_over(
    booked: httpx.AsyncClient,
) -> None:
    why = await act(booked, LAST, "close", 409)
    assert f"{BEFORE:%Y-%m} is open" in why["detail"]
    why = await act(booked, THIS, "close", 409)
    assert "is not over" in why["detail"]
    await act(booked, BEFORE, "close", 202)
    why = await act(booked, BEFORE, "close", 409)
    assert "is closed" in why["detail"]
    await act(booked, LAST, "close", 202)


async def test_the_last_closed_period_is_reopened_with_a_reason_and_stays_in_the_history(
    booked: httpx.AsyncClient, keeper: ClosingsKeeper
) -> None:
    for month in (BEFORE, LAST):
        await act(booked, month, "close", 202)
    why = await act(booked, LAST, "reopen", 409, reason="too early")
    assert "is being closed" in why["detail"]
    await close_all(keeper)
    await act(booked, LAST, "reopen", 422)
    why = await act(booked, BEFORE, "reopen", 409, reason="no")
    assert f"{LAST:%Y-%m} is closed after it" in why["detail"]
    again = await act(booked, LAST, "reopen", 200, reason="a bill came late")
    assert again["state"] == "reopened"
    await act(booked, LAST, "close", 202)
    await close_all(keeper)
    found = (await periods(booked))[f"{LAST:%Y-%m}"]
    assert found["state"] == "closed"
    assert [(each["number"], each["reopen_reason"]) for each in found["closings"]] == [
        (2, None),
        (1, "a bill came late"),
    ]
    assert [each["sums"][0]["effective"] for each in found["closings"]] == ["4", "4"]


async def test_who_may_not_govern_closes_nothing_and_reopening_is_for_admins(
    client: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", f"{LAST:%Y-%m}-10T10:00Z", "4")
    for scope, expected in (("read", 403), ("correct", 403), ("govern", 202)):
        client.headers["Authorization"] = f"Bearer {await book.key('acme', scope)}"
        await act(client, LAST, "close", expected)
    await act(client, LAST, "reopen", 403, reason="not for me")


async def test_what_was_done_to_periods_is_audited(booked: httpx.AsyncClient, keeper: ClosingsKeeper) -> None:
    await act(booked, BEFORE, "close", 202, note="as agreed")
    await close_all(keeper)
    await act(booked, BEFORE, "reopen", 200, reason="a bill came late")
    answer = await booked.get("/v1/audit", params={"object": "period_closings"})
    told = answer.json()["changes"]
    assert [(each["act"], each["by"][:4]) for each in told] == [("changed", "key "), ("made", "key ")]


async def test_no_plan_is_set_for_days_of_a_closed_period(
    booked: httpx.AsyncClient, keeper: ClosingsKeeper
) -> None:
    await act(booked, BEFORE, "close", 202)
    body = {"first_day": f"{BEFORE:%Y-%m}-15", "pools": [], "reason": "agreed"}
    answer = await booked.put("/v1/allocation-plans/team", json=body)
    assert answer.status_code == 409, answer.text
    body["first_day"] = f"{LAST:%Y-%m}-01"
    assert (await booked.put("/v1/allocation-plans/team", json=body)).status_code == 200
