"""spendmeter dimensions: what is printed of what the API answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import _asking, dimensions

OWN = {
    "name": "cost_centre",
    "active": True,
    "reason": "finance",
    "by": "key k1",
    "at": "2026-11-26T08:00:00Z",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []

    def request(method: str, url: str, key: str, **more: Any) -> httpx.Response:
        assert key == "k-admin", "the key that the system was started with may only send and read"
        found.append((method, url, more["tenant"], more["json"]))
        return httpx.Response(200, json={"built_in": ["team"], "own": [OWN]})

    monkeypatch.setattr(_asking, "request", request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "k-admin")
    return found


def test_each_command_asks_for_what_it_says_and_prints_what_there_is(asked: list[tuple[Any, ...]]) -> None:
    for command in (
        ["list"],
        ["add", "cost_centre", "--reason", "finance"],
        ["retire", "cost_centre", "--reason", "over", "--tenant", "acme"],
    ):
        printed = CliRunner().invoke(dimensions.app, command).output
        assert printed.split() == "cost_centre active 2026-11-26T08:00 key k1: finance".split()
    assert asked == [
        ("GET", "http://api/v1/dimensions", "", None),
        ("POST", "http://api/v1/dimensions", "", {"name": "cost_centre", "reason": "finance"}),
        ("POST", "http://api/v1/dimensions/cost_centre/retire", "acme", {"reason": "over"}),
    ]
