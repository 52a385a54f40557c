"""spendmeter meters: what is asked of the API, and what is printed of its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import _asking, meters

IMAGES = {
    "event_type": "image.generated",
    "provider": "openai",
    "sku": "$.model",
    "counted": True,
    "unit": "images",
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    def request(method: str, url: str, key: str, **more: Any) -> httpx.Response:
        assert (url, key, more["tenant"]) == ("http://api/v1/meters", "k-admin", "acme")
        body = more["json"] or {}
        if method == "PUT":
            found.append(body)
        answer = {
            "meters": body.get("meters", [IMAGES]), "built_in": ["prompt"], "revision": 3, "reason": "theirs",
            "by": "key k1", "at": "2026-11-26T08:00:00Z",
        }  # fmt: skip
        return httpx.Response(200, json=answer)

    monkeypatch.setattr(_asking, "request", request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "k-admin")
    return found


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(meters.app, [*words, "--tenant", "acme"])
    assert done.exit_code == code, done.output
    return done.output


def test_each_is_shown_with_whose_price_and_which_unit(sent: list[Any]) -> None:
    assert run("show").split() == (
        "image.generated openai $.model: images everybody's: prompt revision 3, 2026-11-26T08:00, key k1: theirs"
    ).split()  # fmt: skip


def test_a_file_sets_them_anew(sent: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "meters.toml"
    file.write_text(
        '[[meters]]\nevent_type = "ping"\nignored = "a heartbeat"\n\n'
        '[[meters]]\nevent_type = "a"\nprovider = "p"\nsku = "s"\ndialect = "openai"\n'
    )
    printed = run("set", str(file), "--reason", "as agreed")
    assert "costs nothing: a heartbeat" in printed
    assert "usage as openai states it" in printed
    assert sent[0]["reason"] == "as agreed"
    assert [meter["event_type"] for meter in sent[0]["meters"]] == ["ping", "a"]


def test_what_is_no_toml_is_not_sent(sent: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "meters.toml"
    file.write_text("[[meters")
    assert "TOML" in run("set", str(file), "--reason", "x", code=2)
    assert not sent
