"""`spendmeter export focus` and `statement`: a file that is there once it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import _exports
from cli.app import build

TOTALS = [{"currency": "USD", "list": "8", "contracted": "8", "effective": "7.5"}]
SAID = {"X-Export-Totals": json.dumps(TOTALS), "X-Complete-Through": "2026-11-02T10:00:00+00:00"}


class _Broken(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"half"
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    monkeypatch.setenv("SPENDMETER_API_URL", "http://api.test/")
    monkeypatch.setenv("SPENDMETER_API_KEY", "sm_reader")
    return []


def answered(monkeypatch: pytest.MonkeyPatch, asked: list[httpx.Request], status: int, **said: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers=SAID, **said)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(_exports.httpx, "stream", client.stream)


def export(*arguments: str, of: str = "focus") -> Result:
    return CliRunner().invoke(build(["export"]), ["export", of, *arguments])


def test_the_file_takes_the_place_of_an_older_one_and_its_totals_are_said(
    monkeypatch: pytest.MonkeyPatch, asked: list[httpx.Request], tmp_path: Path
) -> None:
    file = tmp_path / "october.parquet"
    file.write_text("older")
    answered(monkeypatch, asked, 200, content=b"PAR1 whole")
    result = export(str(file), "--version", "1.2", "--from", "2026-10-01")
    assert result.exit_code == 0, result.output
    assert file.read_bytes() == b"PAR1 whole"
    assert dict(asked[0].url.params) == {"version": "1.2", "format": "parquet", "from": "2026-10-01"}
    assert asked[0].headers["Authorization"] == "Bearer sm_reader"
    assert "10 bytes of FOCUS 1.2" in result.output and "7.5" in result.output
    assert "all that was accepted before 2026-11-02T10:00:00+00:00 is in it" in result.output
    assert [*tmp_path.iterdir()] == [file]


def test_a_file_that_breaks_off_or_is_refused_leaves_the_older_one(
    monkeypatch: pytest.MonkeyPatch, asked: list[httpx.Request], tmp_path: Path
) -> None:
    file = tmp_path / "october.csv"
    file.write_text("older")
    answered(monkeypatch, asked, 200, stream=_Broken())
    result = export(str(file))
    assert result.exit_code == 1 and "broke off" in result.output
    problem = {"title": "Not available", "detail": "these days are not folded yet", "status": 503}
    answered(monkeypatch, asked, 503, json=problem)
    result = export(str(file))
    assert result.exit_code == 1 and "not folded yet" in result.output
    assert file.read_text() == "older" and [*tmp_path.iterdir()] == [file]


def test_a_name_without_a_form_is_refused_before_anything_is_asked(
    asked: list[httpx.Request], tmp_path: Path
) -> None:
    result = export(str(tmp_path / "october.xlsx"))
    assert result.exit_code == 1 and ".csv or .parquet" in result.output
    assert not asked


def test_a_statement_is_asked_for_by_cost_centre_and_month(
    monkeypatch: pytest.MonkeyPatch, asked: list[httpx.Request], tmp_path: Path
) -> None:
    file = tmp_path / "period.csv"
    answered(monkeypatch, asked, 200, content=b"InvoiceIssuerName\r\n")
    said = ("a/b", str(file), "--month", "2026-10", "--dataset", "billing-period", "--dimension", "workflow")
    result = export(*said, of="statement")
    assert result.exit_code == 0, result.output
    assert asked[0].url.path == "/v1/exports/statement"
    assert dict(asked[0].url.params) == {
        "cost_centre": "a/b", "month": "2026-10", "dimension": "workflow", "dataset": "billing_period", "format": "csv",
    }  # fmt: skip
    assert "19 bytes of the statement of a/b in FOCUS 1.4" in result.output and "7.5" in result.output
