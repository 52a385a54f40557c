"""Two teams of one tenant, and somebody who sees one of them alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import httpx
from fastapi import FastAPI

from services.api.access.cookies import COOKIE
from services.api.access.keys import PersonCredential
from tests.api.book import Book
from tests.api.test_changes_read import cell
from tests.api.test_events import LINES, event

OURS, THEIRS = "ours-alone", "theirs-alone"
MADE_FOR_TEAMS = frozenset(
    ("get", path)
    for path in (
        "/v1/spend", "/v1/spend/changes", "/v1/unit-economics", "/v1/events", "/v1/budgets", "/v1/budgets/{id}",
        "/v1/spend/live",
    )
)  # fmt: skip
"""Routes that answer a viewer of one team; every other one refuses them."""
NINE, TEN = "2026-11-23T09:00Z", "2026-11-23T10:00Z"
Answers = dict[str, Any]


async def a_viewer_of_one_team(api: FastAPI, book: Book, tenant: str, team: str) -> str:
    """A session of theirs, as a cookie."""
    person_id = "p" + sha256(f"{tenant} {team}".encode()).hexdigest()[:16]
    await book.connection.execute(
        "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by) "
        "VALUES ($1, $2, 'https://login.example', 's', 'n', 'viewer', $3, 'r', 'b')",
        tenant, person_id, team,
    )  # fmt: skip
    person = PersonCredential(person_id=person_id, tenant=tenant, scopes=("read",), team=team)
    return f"{COOKIE}={await api.state.keys.open_person_session(person, datetime.now(UTC))}"


async def work(book: Book, team: str, *, times: int = 1, sku: str = "m", named: str = "") -> None:
    """What a team did: at nine and at ten, in two currencies, of it some without a price; 10 and 20 a time, 2.5
    in EUR. `named`: in the names of its events."""
    labels = {"cost_class": "model", "provider": "p", "sku": sku, "team": team, "key_id": f"k-{team}"}
    used = {"input_tokens": 1_000 * times, "cache_read_tokens": 500 * times, "images": times}
    await book.spend("acme", NINE, str(10 * times), usage=used, events=4 * times, **labels)
    await book.spend(
        "acme", TEN, str(20 * times), provisional="1", unpriced=times, usage=used, events=4 * times, **labels
    )
    await book.spend("acme", TEN, str(2.5 * times), currency="EUR", feature="search", **labels)
    await cell(book, date(2026, 11, 23), "input_tokens", 1_000 * times, str(3 * times * times), **labels)
    await cell(book, date(2026, 11, 23), "cache_read_tokens", 500 * times, str(times), **labels)
    for number in range(times):
        await book.entry(event(f"{team}-{sku}-{named}{number}", team=team), "0.01", LINES)


def still(answer: httpx.Response) -> Answers:
    """Without what moves by itself: how complete it is, but for a count of what is in flight."""
    said: Answers = answer.json()
    return {
        name: value for name, value in said.items() if name not in ("complete_through", "in_flight_age_s")
    }
