"""spendmeter period: what is asked of the API, and what is printed of its answer."""

from __future__ import annotations

import pytest

from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api
from tests.cli.test_reading import run


def test_periods_are_listed_with_what_they_had_and_what_corrects_earlier_ones(api: Api) -> None:
    api.answers = [(200, EXAMPLES["periods"])]
    result = run("period", "list")
    assert result.exit_code == 0, result.output
    november, october = (" ".join(line.split()) for line in result.output.splitlines()[1:3])
    assert november == "2026-11 open, running 3.25 USD"
    assert october.startswith("2026-10 closed 1,204,331 38,119.25 USD")
    assert "as agreed with the controller" in october


def test_who_closes_a_period_waits_until_it_is_closed_and_is_told_its_sums(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.period.time.sleep", lambda _: None)
    api.answers = [(202, EXAMPLES["period_closing"]), (200, EXAMPLES["periods"])]
    result = run("period", "close", "2026-10", "--note", "as agreed")
    assert result.exit_code == 0, result.output
    assert "2026-10 is closed with 38,119.25 USD" in result.output
    assert api.asked[0][:2] == ("POST", "periods/2026-10/close")


def test_a_period_is_reopened_with_a_reason(api: Api) -> None:
    api.answers = [(200, EXAMPLES["period_reopened"])]
    result = run("period", "reopen", "2026-10", "--reason", "a bill came after all")
    assert result.exit_code == 0, result.output
    assert "2026-10 is open again" in result.output
    assert run("period", "reopen", "2026-10").exit_code == 2, "a reason is asked for"
