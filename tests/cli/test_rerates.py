"""A job is followed until it rests, also while nobody knows yet of how many events."""

from __future__ import annotations

from typing import Any

import pytest

from cli import _following, _rerates


@pytest.mark.parametrize("terminal", [True, False])
def test_a_job_is_followed_while_it_is_not_known_how_much_there_is(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    def job(state: str, about: int | None, seen: int) -> dict[str, Any]:
        way = {"about": about, "seen": seen}
        return {"rerate_id": "r", "state": state, "summary": state, "preview": way, "applied": None}

    answers = iter([job("previewing", None, 0), job("previewing", 1_200, 8), job("previewed", 1_200, 1_200)])
    monkeypatch.setattr(_following, "ask", lambda *_, key: next(answers))
    monkeypatch.setattr(_following, "POLL_S", 0)
    monkeypatch.setattr(_following, "PLAIN_LINE_S", 0)
    monkeypatch.setattr("rich.console.Console.is_terminal", terminal)
    first = {"rerate_id": "r", "state": "sent", "preview": None, "applied": None}
    assert _rerates.followed(first, "acme")["state"] == "previewed"
