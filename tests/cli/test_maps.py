"""spendmeter maps: what is asked of the API, and what is printed of its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import _asking, maps

TEAM = {"attribute": "organization.id", "label": "team", "values": {"org-1": "platform"}}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The bodies that were put, to an API that has one rule."""
    found: list[Any] = []

    def request(method: str, url: str, key: str, **more: Any) -> httpx.Response:
        assert (url, key, more["tenant"]) == ("http://api/v1/label-maps", "k-admin", "acme")
        body = more["json"] or {}
        if method == "PUT":
            found.append(body)
        answer = {
            "labels": [{"values": {}} | rule for rule in body.get("labels", [TEAM])], "signals": body.get("signals", {"codex": "logs"}),
            "revision": 3, "reason": "theirs", "by": "key k1", "at": "2026-11-26T08:00:00Z",
        }  # fmt: skip
        return httpx.Response(200, json=answer)

    monkeypatch.setattr(_asking, "request", request)
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api/")
    monkeypatch.setenv("SPENDMETER_ADMIN_KEY", "k-admin")
    return found


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(maps.app, [*words, "--tenant", "acme"])
    assert done.exit_code == code, done.output
    return done.output


def test_what_is_in_force_is_shown_rule_by_rule(sent: list[Any]) -> None:
    printed = run("show")
    assert (
        printed.split()
        == (
            "organization.id team org-1 platform codex is priced by its logs revision 3, 2026-11-26T08:00, key k1: theirs"
        ).split()
    )
    assert sent == []


def test_a_rule_is_added_to_what_there_is_and_only_if_nobody_changed_it_meanwhile(sent: list[Any]) -> None:
    assert "its own value" in run("add", "team.id", "team", "--reason", "r")
    assert "platform" in run("add", "organization.id", "team", "--value", "a=b=search", "--reason", "r")
    own = {"attribute": "team.id", "label": "team", "values": {}}
    more = {**TEAM, "values": {"org-1": "platform", "a=b": "search"}}
    assert [body["labels"] for body in sent] == [[TEAM, own], [more]]
    assert [(body["revision"], body["reason"]) for body in sent] == [(3, "r")] * 2
    run("add", "team.id", "team", "--value", "nothing", "--reason", "r", code=2)
    run("add", "team.id", "team", "--first", "--reason", "r")
    assert sent[-1]["labels"] == [own, TEAM]


def test_rules_are_dropped_a_signal_is_chosen_and_a_file_says_all(sent: list[Any], tmp_path: Path) -> None:
    assert "no attribute means a label" in run("drop", "organization.id", "team", "--reason", "r")
    assert "codex is priced by its traces" in run("signal", "codex", "traces", "--reason", "r")
    file = tmp_path / "maps.toml"
    file.write_text('[[labels]]\nattribute = "team.id"\nlabel = "team"\n', "utf-8")
    run("set", str(file), "--reason", "r")
    assert sent[0]["labels"] == []
    assert sent[1]["signals"] == {"codex": "traces"}
    assert sent[2] == {"labels": [{"attribute": "team.id", "label": "team"}], "reason": "r"}
    file.write_text("[", "utf-8")
    run("set", str(file), "--reason", "r", code=2)
