"""Requests for more of a budget, as api takes and decides them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import httpx
import pytest

from services.api.budgets.raised import BudgetAmounts, raised
from spendmeter.platform.keys import create_key
from tests.api.book import Book

END = datetime(2026, 12, 1, tzinfo=UTC)
HUNDRED = BudgetAmounts(Decimal(100), "USD")


def test_for_a_period_a_budget_is_raised_until_that_ends() -> None:
    once = raised(HUNDRED, Decimal(20), "period", END)
    assert once == BudgetAmounts(Decimal(120), "USD", END, Decimal(100), "USD")
    assert once is not None
    twice = raised(once, Decimal(5), "period", END)
    assert twice == BudgetAmounts(Decimal(125), "USD", END, Decimal(100), "USD")


def test_for_good_it_stays_and_one_that_is_raised_for_a_period_returns_to_more() -> None:
    assert raised(HUNDRED, Decimal(20), "for_good", END) == BudgetAmounts(Decimal(120), "USD")
    once = raised(HUNDRED, Decimal(20), "period", END)
    assert once is not None
    assert raised(once, Decimal(5), "for_good", END) == BudgetAmounts(
        Decimal(125), "USD", END, Decimal(105), "USD"
    )


def test_what_a_change_of_currency_makes_of_it_is_not_overwritten() -> None:
    moves = BudgetAmounts(Decimal(100), "USD", END, Decimal(90), "EUR")
    assert raised(moves, Decimal(20), "period", END) is None
    good = raised(moves, Decimal(20), "for_good", END)
    assert good == BudgetAmounts(Decimal(120), "USD", END, Decimal(90), "EUR")


async def _agent(book: Book, acme: httpx.AsyncClient) -> dict[str, str]:
    """The headers of an agent's key, which may reserve and nothing else."""
    key = await create_key(book.connection, "acme", ["reserve"], name="agent")
    return {"Authorization": f"Bearer {key}"}


async def _budget(acme: httpx.AsyncClient) -> str:
    new = {"name": "agents", "amount": "100", "hard": {}}
    made: str = (await acme.post("/v1/budgets", json=new)).json()["id"]
    return made


async def test_an_agent_asks_and_is_given_more_for_the_period(acme: httpx.AsyncClient, book: Book) -> None:
    agent, budget = await _agent(book, acme), await _budget(acme)
    path, body = f"/v1/budgets/{budget}/requests", {"amount": "20", "reason": "200 cases more"}
    asked = await acme.post(path, json=body, headers=agent)
    assert (asked.status_code, asked.json()["state"]) == (201, "open"), asked.text
    again = await acme.post(path, json=body | {"amount": "30"}, headers=agent)
    assert again.json() == asked.json()  # one is open at a time
    number = asked.json()["id"]
    forbidden = await acme.post(f"/v1/budget-requests/{number}/approve", json={"reason": "I"}, headers=agent)
    assert forbidden.status_code == 403
    approved = await acme.post(
        f"/v1/budget-requests/{number}/approve", json={"amount": "15", "reason": "yes"}
    )
    said = approved.json()
    assert (said["state"], said["granted"], said["lasts"], said["revision"]) == (
        "approved",
        "15",
        "period",
        2,
    )
    assert said["decided_by"] and said["decided_at"] and said["decision_reason"] == "yes"
    now = (await acme.get(f"/v1/budgets/{budget}")).json()
    assert (now["amount"], now["revision"], now["next"]["amount"]) == ("115", 2, "100")
    assert now["next"]["effective_from"] == now["period_end"] or datetime.fromisoformat(
        now["next"]["effective_from"]
    ) == datetime.fromisoformat(now["period_end"])
    late = await acme.post(f"/v1/budget-requests/{number}/refuse", json={"reason": "no"})
    assert late.status_code == 409


async def test_a_refusal_says_why_and_leaves_the_budget_as_it_is(acme: httpx.AsyncClient, book: Book) -> None:
    agent, budget = await _agent(book, acme), await _budget(acme)
    asked = await acme.post(
        f"/v1/budgets/{budget}/requests", json={"amount": "20", "reason": "more"}, headers=agent
    )
    refused = await acme.post(
        f"/v1/budget-requests/{asked.json()['id']}/refuse", json={"reason": "it loops: see the run"}
    )
    assert (refused.json()["state"], refused.json()["granted"]) == ("refused", None)
    assert (await acme.get(f"/v1/budgets/{budget}")).json()["amount"] == "100"
    listed = (await acme.get("/v1/budget-requests", params={"state": "refused"})).json()["requests"]
    assert [each["decision_reason"] for each in listed] == ["it loops: see the run"]
    assert (await acme.get("/v1/budget-requests", params={"state": "open"})).json()["requests"] == []


async def test_a_decision_needs_a_reason_and_a_request_a_budget(acme: httpx.AsyncClient, book: Book) -> None:
    nowhere = "/v1/budgets/0b9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11/requests"
    agent = await _agent(book, acme)
    missing = await acme.post(nowhere, json={"amount": "1", "reason": "r"}, headers=agent)
    assert missing.status_code == 404
    budget = await _budget(acme)
    asked = await acme.post(
        f"/v1/budgets/{budget}/requests", json={"amount": "1", "reason": "r"}, headers=agent
    )
    unsaid = await acme.post(f"/v1/budget-requests/{asked.json()['id']}/approve", json={})
    assert unsaid.status_code == 422


@pytest.fixture(autouse=True)
async def _none_yet(book: Book) -> None:
    assert isinstance(book.connection, asyncpg.Connection)
    await book.connection.execute("DELETE FROM budget_requests")
