"""`spendmeter invoice`: what is sent, and what people read of the answer."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import invoice
from services.api.http.openapi import EXAMPLES

PAGE = b'{"object": "page", "data": []}'


class Api:
    """What commands asked, and what they are answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.sent = b""
        self.answer: Any = None

    def ask(self, method: str, path: str, tenant: str, query: Any = None, **more: Any) -> Any:
        self.asked.append((method, path, tenant, query))
        self.sent = more["file"].read() if "file" in more else b""
        return self.answer

    def read(self, path: str, tenant: str, query: Any = None, **_: Any) -> Any:
        return self.ask("GET", path, tenant, query)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api()
    monkeypatch.setattr(invoice, "ask", api.ask)
    monkeypatch.setattr(invoice, "read", api.read)
    monkeypatch.setenv("SPENDMETER_IMPORT_KEY", "sm_k_s")
    return api


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(invoice.app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_pages_go_in_as_they_are_one_after_the_other(api: Api, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    for file in files:
        file.write_bytes(PAGE)
    api.answer = EXAMPLES["invoice"]
    printed = run("import", *map(str, files), "--provider", "openai")
    assert api.sent == PAGE + b"\n" + PAGE
    assert api.asked == [
        ("POST", "invoices", "", {"provider": "openai", "account": "", "file": "a.json, b.json"})
    ]
    assert "2026-11-01 to 2026-11-25, 310 lines, 1520.375 USD" in printed


def test_parts_of_an_export_in_focus_go_in_as_one(api: Api, tmp_path: Path) -> None:
    # One after the other each would stand instead of the one before, of the same days.
    files = [tmp_path / name for name in ("a.csv.gz", "b.csv.gz", "c.csv")]
    for file in files:
        file.write_bytes(b"\x1f\x8b")
    api.answer = EXAMPLES["invoice"]
    run("import", *map(str, files[:2]), "--provider", "bedrock")
    with zipfile.ZipFile(io.BytesIO(api.sent)) as sent:
        assert {name: sent.read(name) for name in sent.namelist()} == {
            "0000.gz": b"\x1f\x8b", "0001.gz": b"\x1f\x8b"
        }  # fmt: skip
    assert "of one kind" in run("import", *map(str, files), "--provider", "bedrock", code=2)


def test_without_a_key_that_imports_it_is_said_how_to_make_one(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SPENDMETER_IMPORT_KEY")
    (tmp_path / "a.json").write_bytes(PAGE)
    printed = run("import", str(tmp_path / "a.json"), "--provider", "openai", code=1)
    assert "SPENDMETER_IMPORT_KEY is not set" in printed


def test_a_variance_is_told_by_model_with_its_causes_in_words(api: Api) -> None:
    api.answer = EXAMPLES["invoice_variance"]
    printed = run("variance", "--provider", "openai", "--month", "2026-12")
    assert api.asked[0][3] == {"provider": "openai", "from": "2026-12-01", "to": "2027-01-01"}
    lines = [line.split() for line in printed.splitlines()]
    assert ["gpt-5", "24.00", "21.00", "3.00", "0.00", "unseen", "1.50,", "tier", "1.50"] in lines
    assert "in all billed 24.00, booked 21.00: 3.00" in printed
    assert "1.50 unseen: billed, and no event told us of it" in printed


def test_what_is_unexplained_ends_with_1(api: Api) -> None:
    whole = EXAMPLES["invoice_variance"]
    api.answer = whole | {"totals": whole["totals"] | {"unexplained": "0.01"}}
    assert "0.0100 unexplained" in run("variance", "--provider", "openai", code=1)


def test_a_month_and_days_are_not_asked_for_at_once(api: Api) -> None:
    run("variance", "--provider", "openai", "--month", "2026-12", "--since", "2026-12-03", code=2)
    run("variance", "--provider", "openai", "--month", "2026-13", code=2)
