"""`status`, told to people; tests/flow/test_frozen.py asks it on a running system."""

from __future__ import annotations

import pytest

from cli import status
from cli._projections import behind_of, behind_text


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
            "events": None, "projections": {},
        }
    )  # fmt: skip
    return capsys.readouterr().out.splitlines()


def test_a_system_is_ready_while_each_of_its_processes_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, ledger="ready", api="ready")[0] == "Spendmeter: ready (home /srv/s)"


def test_a_process_that_is_not_ready_is_named_before_all_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, ledger="frozen", rating="slow", api="ready")[0] == (
        "Spendmeter: running, but not all of it is ready: ledger, rating (home /srv/s)"
    )


def test_how_far_projections_are_behind_is_read_from_the_correctors_metrics() -> None:
    metrics = (
        "# TYPE spendmeter_projections_behind gauge\n"
        'spendmeter_projections_behind{otel_scope_name="spendmeter",projection="cells"} 1200.0\n'
        'spendmeter_projections_behind{otel_scope_name="spendmeter",projection="runs"} 0.0\n'
        'spendmeter_line_stopped{otel_scope_name="spendmeter",service="corrector"} 7.0\n'
    )
    assert behind_of(metrics) == {"cells": 1200, "runs": 0}
    assert behind_text(behind_of(metrics)) == "projections, offsets behind the book: cells 1,200, runs 0"
    assert behind_text({"cells": 0, "runs": 0}) == "projections: cells, runs are up to date"
