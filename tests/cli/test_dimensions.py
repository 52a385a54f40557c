"""spendmeter dimensions: what is printed of what the API answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import dimensions
from cli._http import Access

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
        found.append((method, url, more.get("json")))
        return httpx.Response(200, json={"built_in": ["team"], "own": [OWN]})

    monkeypatch.setattr(dimensions, "request", request)
    monkeypatch.setattr(dimensions, "access", lambda: Access(ingest_url="", api_url="http://api", key="k"))
    return found


def test_each_command_asks_for_what_it_says_and_prints_what_there_is(asked: list[tuple[Any, ...]]) -> None:
    for command in (
        ["list"],
        ["add", "cost_centre", "--reason", "finance"],
        ["retire", "cost_centre", "--reason", "over"],
    ):
        printed = CliRunner().invoke(dimensions.app, command).output
        assert printed.split() == "cost_centre active 2026-11-26T08:00 key k1: finance".split()
    assert asked == [
        ("GET", "http://api/v1/dimensions", None),
        ("POST", "http://api/v1/dimensions", {"name": "cost_centre", "reason": "finance"}),
        ("POST", "http://api/v1/dimensions/cost_centre/retire", {"reason": "over"}),
    ]
