"""Budgets that refuse, as api sets and shows them."""

from __future__ import annotations

import httpx

from tests.api.book import Book

NEW = {"name": "agents", "filter": {"agent": "triage"}, "amount": "10", "hard": {"key_share": "0.25"}}


async def test_a_budget_is_made_hard_softer_and_soft(acme: httpx.AsyncClient, book: Book) -> None:
    made = (await acme.post("/v1/budgets", json=NEW)).json()
    assert made["hard"] == {
        "unreserved": "reserved_only", "when_away": "refuse", "key_share": "0.25", "held": "0", "debt": "0"
    }  # fmt: skip
    url = f"/v1/budgets/{made['id']}"
    kept = (await acme.patch(url, json={"amount": "20"})).json()
    assert (kept["hard"]["key_share"], kept["revision"]) == ("0.25", 2)
    room = (await acme.patch(url, json={"hard": {"unreserved": "headroom"}})).json()
    assert (room["hard"]["unreserved"], room["hard"]["key_share"], room["revision"]) == ("headroom", "0.5", 2)
    assert (await acme.patch(url, json={"hard": False})).json()["hard"] is None


async def test_what_is_held_of_the_period_that_runs_is_shown(acme: httpx.AsyncClient, book: Book) -> None:
    made = (await acme.post("/v1/budgets", json=NEW)).json()
    await book.connection.execute(
        "INSERT INTO budget_counters (tenant, budget_id, period_start, period_end, revision, currency, booked, held) "
        "VALUES ('acme', $1, $2::text::timestamptz, $3::text::timestamptz, 1, 'USD', 2, 3)",
        made["id"], made["period_start"], made["period_end"],
    )  # fmt: skip
    assert (await acme.get(f"/v1/budgets/{made['id']}")).json()["hard"]["held"] == "3"


async def test_a_share_is_of_one(acme: httpx.AsyncClient, book: Book) -> None:
    answer = await acme.post("/v1/budgets", json=NEW | {"hard": {"key_share": "1.5"}})
    assert answer.status_code == 422
