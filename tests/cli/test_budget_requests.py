"""spendmeter budget requests, approve and refuse: what is asked of the API, and what is printed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import _asking, budget

OPEN = {
    "id": "r1", "budget_id": "b1", "amount": "20", "currency": "USD", "reason": "200 cases more",
    "requested_by": "agents-1", "requested_at": "2026-11-26T08:00:00Z", "state": "open", "granted": None,
    "lasts": None, "revision": None, "decided_by": None, "decided_at": None, "decision_reason": None,
}  # fmt: skip
DECIDED = {
    "decided_by": "ops-1",
    "decided_at": "2026-11-26T08:05:00Z",
    "decision_reason": "yes",
    "revision": 2,
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of an API that has one request."""
    found: list[Any] = []

    def request(method: str, url: str, key: str, **more: Any) -> httpx.Response:
        found.append((method, url.removeprefix("http://api/v1/"), more["json"]))
        if method == "GET":
            return httpx.Response(200, json={"requests": [OPEN]})
        if url.endswith("refuse"):
            return httpx.Response(200, json=OPEN | DECIDED | {"state": "refused"})
        given = {
            "state": "approved",
            "granted": more["json"].get("amount", "20"),
            "lasts": more["json"]["lasts"],
        }
        return httpx.Response(200, json=OPEN | DECIDED | given)

    monkeypatch.setattr(_asking, "request", request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "k-admin")
    return found


def run(*words: str) -> str:
    done = CliRunner().invoke(budget.app, [*words, "--tenant", "acme"])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_open_is_listed_with_who_asks_and_why(sent: list[Any]) -> None:
    assert "by agents-1: 200 cases more" in run("requests")


def test_an_approval_says_how_much_and_for_how_long(sent: list[Any]) -> None:
    said = run("approve", "r1", "--reason", "yes", "--amount", "15", "--for-good")
    assert "15 USD, for good" in said and "by ops-1: yes" in said
    assert sent == [
        ("POST", "budget-requests/r1/approve", {"reason": "yes", "lasts": "for_good", "amount": "15"})
    ]
    assert "until its period ends" in run("approve", "r1", "--reason", "yes")


def test_a_refusal_says_why(sent: list[Any]) -> None:
    assert "refused: 20 USD more" in run("refuse", "r1", "--reason", "no")
    assert sent == [("POST", "budget-requests/r1/refuse", {"reason": "no"})]
