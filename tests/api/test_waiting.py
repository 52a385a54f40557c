"""One call waits for the booking: answered as soon as the event is there, bounded in time and number."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.database import shares
from services.api.events import waiting
from tests.api.book import Book
from tests.api.test_events import ID, LINES, NOON, SOURCE, event

WAITED = {"source": SOURCE, "id": ID, "wait": "30s"}
"""Far longer than the test: an answer has come because the event was there."""


async def booked_while_asking(client: httpx.AsyncClient, api: FastAPI, happens: Any) -> httpx.Response:
    asking = asyncio.create_task(client.get("/v1/events", params=WAITED, timeout=60))
    async with asyncio.timeout(30):
        while not api.state.waiting.waiting("acme"):
            await asyncio.sleep(0.01)
    assert not asking.done()
    await happens
    return await asking


async def test_a_receipt_is_answered_as_soon_as_the_event_is_booked(
    acme: httpx.AsyncClient, api: FastAPI, book: Book
) -> None:
    answer = await booked_while_asking(acme, api, book.entry(event(), "0.01", LINES))
    assert answer.json()["status"] == "booked"


async def test_a_rejection_is_answered_too(acme: httpx.AsyncClient, api: FastAPI, book: Book) -> None:
    answer = await booked_while_asking(
        acme, api, book.unbooked("acme", SOURCE, ID, "rejected", "usage: is missing")
    )
    assert (answer.json()["status"], answer.json()["copies"][0]["reason"]) == (
        "rejected",
        "usage: is missing",
    )


async def test_what_does_not_come_in_time_is_a_404_that_says_how_far_the_book_is(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.partition(0, log_end=9, read_at=NOON, booked=9)
    await book.entry(event(tenant="globex"), "0.01", LINES)  # of the same name, and nobody's here
    answer = await acme.get("/v1/events", params=WAITED | {"wait": "300ms"})
    assert answer.status_code == 404
    assert "complete through 2026-11-23T12:00:00.000000Z; accepted later" in answer.json()["detail"]


async def test_fifty_may_wait_and_hold_no_connection_meanwhile(
    acme: httpx.AsyncClient, api: FastAPI, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "WAIT_S_MAX", 60)  # fifty receipts at once take turns, on any machine
    asking = [
        asyncio.create_task(acme.get("/v1/events", params=WAITED, timeout=60))
        for _ in range(waiting.TENANT_WAITERS_MAX)
    ]
    while api.state.waiting.waiting("acme") < waiting.TENANT_WAITERS_MAX:
        await asyncio.sleep(0.05)
    over = await acme.get("/v1/events", params=WAITED)
    assert (over.status_code, over.headers["retry-after"]) == (429, "1")
    assert (await acme.get("/v1/spend")).status_code == 200
    await book.entry(event(), "0.01", LINES)
    assert {(await each).status_code for each in asking} == {200}
    assert (await acme.get("/v1/events", params=WAITED)).status_code == 200  # and the next may wait again


async def test_one_who_comes_when_all_tenants_together_wait_too_much_is_not_told_that_it_is_his_own(
    acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 0)
    answer = await acme.get("/v1/events", params=WAITED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "of all tenants" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("source=a&id=b&wait=5", "must be a duration with its unit, such as 5s or 500ms"),
        ("source=a&id=b&wait=1h", "must be a duration"),
        ("source=a&id=b&wait=31s", "wait: must be at most 30s"),
        ("wait=5s", "wait: is for one event: give its source and id"),
    ],
)
async def test_a_wait_that_makes_no_sense_is_refused(
    acme: httpx.AsyncClient, query: str, reason: str
) -> None:
    answer = await acme.get(f"/v1/events?{query}")
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]
