"""What allocation keeps of whole days is never told when it has changed; and it is the ledger's total always."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI

from services.api.database.remembered import ROWS_MAX, WEEKS_MAX, BookedDays
from services.ledger.roller import Roller
from spendmeter.contracts.terms import Terms, Timeline
from tests.api.book import Book
from tests.api.test_allocations import ask, statement
from tests.api.test_spend_rollups import FIRST, correct_some, roller, spend_some

__all__ = ["roller"]

DAYS = {"from": "2026-10-15", "to": "2026-11-15"}
PLAN = {
    "first_day": "2026-10-20",
    "reason": "a test",
    "pools": [
        {"name": "o3", "filter": {"sku": "o3", "team": "ops"}, "rule": "proportional",
         "driver": {"measure": "input_tokens"}},
        {"name": "ops", "filter": {"team": "ops"}, "rule": "fixed", "weights": {"ads": 1}, "pools": {"o3": 1}, "of": 3},
    ],
}  # fmt: skip


async def test_whatever_changes_an_answer_is_that_of_a_process_that_has_just_started(
    client: httpx.AsyncClient, book: Book, roller: Roller, api: FastAPI
) -> None:
    chance = random.Random(7)
    timeline = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin"), currency="EUR"))])
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await client.put("/v1/allocation-plans/team", json=PLAN)).status_code == 200
    await spend_some(book, chance, 100)
    kept = api.state.booked_days
    for step in range(6):
        if step % 3 == 0:
            await spend_some(book, chance, 5)
        elif step % 3 == 1:
            await roller.roll_up(FIRST + timedelta(days=90))
        else:
            await correct_some(book, chance, timeline)
        api.state.booked_days = kept
        said = await _told(client)
        again = await _told(client)
        api.state.booked_days = BookedDays()
        assert said == again == await _told(client)
        spend = (await client.get("/v1/spend", params={**DAYS, "usage": "false"})).json()["totals"]
        assert {row["currency"]: row["effective"] for row in spend} == {
            whole["currency"]: whole["total"] for whole in said[0]["totals"]
        }
    assert kept.size > 0


async def _told(client: httpx.AsyncClient) -> list[Any]:
    answers = [await ask(client, **DAYS), await statement(client, "ads", "2026-10")]
    for answer in answers:
        answer.pop("complete_through")
    (row,) = (row for row in answers[0]["rows"] if row["cost_centre"] == "ads" and row["currency"] == "EUR")
    assert row
    return answers


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    kept = BookedDays()
    for number in range(WEEKS_MAX):
        kept.keep(number, [number])
    assert kept.get(0) == [0]
    kept.keep("one more", [])
    assert (kept.get(0), kept.get(1)) == ([0], None)
    kept.keep("large", [0] * (ROWS_MAX - 1))
    assert (kept.size, kept.get("large") is None) == (ROWS_MAX, False)  # and one of the others
    kept.keep("too large", [0] * (ROWS_MAX + 1))
    assert kept.get("too large") is None
