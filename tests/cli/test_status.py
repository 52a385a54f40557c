"""`status`, told to people; tests/flow/test_frozen.py asks it on a running system."""

from __future__ import annotations

import pytest

from cli import status


def told(capsys: pytest.CaptureFixture[str], **states: str) -> list[str]:
    """The lines of a report on a system whose processes are in these states."""
    processes = [
        {
            "name": name, "pid": 7, "state": state, "trouble": "", "restarts": 0, "memory_bytes": 0, "port": 8400,
        }
        for name, state in states.items()
    ]  # fmt: skip
    status._show(
        {
            "phase": "ready", "home": "/srv/s", "problems": [], "processes": processes, "groups": [],
            "events": None,
        }
    )  # fmt: skip
    return capsys.readouterr().out.splitlines()


def test_a_system_is_ready_while_each_of_its_processes_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, ledger="ready", api="ready")[0] == "Spendmeter: ready (home /srv/s)"


def test_a_process_that_is_not_ready_is_named_before_all_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, ledger="frozen", rating="slow", api="ready")[0] == (
        "Spendmeter: running, but not all of it is ready: ledger, rating (home /srv/s)"
    )
