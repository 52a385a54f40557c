"""spendmeter people and spendmeter audit: what they ask, and what is printed of the answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import _asking
from cli.app import build

ADA = {
    "person_id": "p1", "issuer": "https://i", "subject": "s", "name": "Ada", "role": "viewer", "team": "search",
    "scopes": ["read"], "reason": "joined", "by": "key k1", "at": "2026-11-26T08:00:00Z",
}  # fmt: skip
CHANGE = {
    "number": 2, "at": "2026-11-26T08:00:00Z", "by": "key k1", "by_name": "finops", "object": "channels",
    "object_id": "c1", "act": "changed", "differences": [{"field": "name", "was": "a", "became": "b" * 80}],
    "withheld": ["settings"],
}  # fmt: skip
ANSWERS = {
    "people": {**ADA, "people": [ADA], "next_cursor": None},
    "p1": ADA | {"role": "", "team": ""},
    "audit": {"changes": [CHANGE], "next_cursor": None},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []

    def request(method: str, url: str, key: str, **more: Any) -> httpx.Response:
        assert key == "k-admin"
        found.append((method, url, more["tenant"], more["params"], more["json"]))
        return httpx.Response(200, json=ANSWERS[url.rsplit("/", 1)[1]])

    monkeypatch.setattr(_asking, "request", request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "k-admin")
    return found


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build([arguments[0]]), list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_person_is_listed_given_a_role_and_removed(asked: list[tuple[Any, ...]]) -> None:
    line = "p1  viewer of search  Ada  https://i s  2026-11-26T08:00  key k1: joined\n"
    assert run("people", "list", "--tenant", "acme") == line
    given = (
        "--issuer",
        "https://i",
        "--subject",
        "s",
        "--name",
        "Ada",
        "--reason",
        "joined",
        "--team",
        "search",
    )
    assert run("people", "grant", "viewer", *given, "--tenant", "acme") == line
    assert "p1  none " in run("people", "remove", "p1", "--reason", "left")
    assert [each[:3] for each in asked] == [
        ("GET", "http://api/v1/people", "acme"),
        ("PUT", "http://api/v1/people", "acme"),
        ("DELETE", "http://api/v1/people/p1", ""),
    ]
    assert asked[1][4]["team"] == "search"
    assert asked[2][3] == {"reason": "left"}


def test_a_change_says_who_what_was_and_became_and_what_is_withheld(asked: list[tuple[Any, ...]]) -> None:
    assert run("audit", "--tenant", "acme", "--object", "channels", "--from", "2026-11-01").split("\n") == [
        "2026-11-26T08:00:00Z  key k1 (finops)  changed channels c1",
        f"    name: a -> {'b' * 60}...",
        "    and, which is told nowhere: settings",
        "",
    ]
    assert asked == [
        (
            "GET",
            "http://api/v1/audit",
            "acme",
            {"object": "channels", "from": "2026-11-01", "limit": 50},
            None,
        )
    ]
