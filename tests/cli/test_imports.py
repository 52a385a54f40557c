"""An import is followed until it rests, by the key that imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import _following, _imports
from cli.app import build


@pytest.mark.parametrize("terminal", [True, False])
def test_an_import_is_followed_until_it_rests(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    def found(state: str, rows: int) -> dict[str, Any]:
        return {"import_id": "i1", "state": state, "summary": f"{rows} rows"}

    asked, answers = [], iter([found("running", 400), found("done", 500)])

    def ask(method: str, path: str, tenant: str, *, key: str) -> Any:
        asked.append((method, path, tenant, key))
        return next(answers)

    monkeypatch.setattr(_following, "ask", ask)
    monkeypatch.setattr(_following, "POLL_S", 0)
    monkeypatch.setattr(_following, "PLAIN_LINE_S", -1)
    monkeypatch.setattr("rich.console.Console.is_terminal", terminal)
    assert _imports.followed(found("running", 0), "acme") == found("done", 500)
    assert asked == [("GET", "imports/i1", "acme", "SPENDMETER_IMPORT_KEY")] * 2
    assert ("400 rows\n500 rows\n" in capsys.readouterr().err) is not terminal


def test_without_a_key_that_imports_it_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SPENDMETER_IMPORT_KEY", raising=False)
    bill = tmp_path / "bill.csv"
    bill.touch()
    result = CliRunner().invoke(build(["import"]), ["import", "focus", str(bill)])
    assert result.exit_code == 1
    assert "export SPENDMETER_IMPORT_KEY=$(spendmeter keys create TENANT --scope import" in result.output
