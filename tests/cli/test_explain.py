"""`spendmeter explain`, against an api that is faked behind HTTP with the receipt of the description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.fake import Fake, fake_system

RECEIPT = EXAMPLES["receipt"]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL"):
            monkeypatch.setenv(name, fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        yield fake


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(["explain"]), ["explain", *arguments])


def answering(monkeypatch: pytest.MonkeyPatch, status: int, body: dict[str, Any]) -> list[str]:
    """Every receipt is this one; returns the ids that were asked for."""
    asked: list[str] = []

    def receipt(self: Fake, id: str) -> tuple[int, dict[str, Any]]:
        asked.append(id)
        return status, body

    monkeypatch.setattr(Fake, "receipt", receipt)
    return asked


def test_the_winner_the_losers_and_the_arithmetic_are_told(
    system: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch, 200, RECEIPT)
    result = run("checkout-bot", "req/81 ü&?")
    assert result.exit_code == 0, result.output
    assert asked == ["req/81 ü&?"]
    assert result.output.splitlines() == [
        "booked: 0.01 USD, priced",
        "checkout-bot/req/81",
        "booked, of 2026-11-23T10:00:00.123Z, by catalog version 3",
        "model 'gpt-4o-latest' means gpt-4o: it is an alias, says entry cd2m...",
        "",
        "cache_read_tokens: priced",
        "  price: 1.25 USD for 1000000 = 0.00000125 USD each",
        "  list: 8000 cache_read_tokens x 0.00000125 = 0.01 USD",
        "  list price by entry ab3k...: 1.25 USD per 1,000,000 cache_read_tokens of openai/gpt-4o, says genai-prices 0.2.3",
        "    why: no other entry's conditions hold",
        "    not q7xc..., 0.625 USD per 1,000,000 cache_read_tokens of openai/gpt-4o (in a batch): "
        "for batches alone, and this was none",
        "",
        "priced: 0.01 = 0.01 USD",
    ]


def test_json_is_the_receipt(system: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, 200, RECEIPT)
    assert json.loads(run("checkout-bot", "req/81", "--json").output) == RECEIPT


def test_an_event_that_is_not_in_the_book_is_said_with_the_apis_words(
    system: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, 404, {"title": "Not in the book", "detail": "no event of source 'a' with id 'b'"})
    result = run("a", "b")
    assert (result.exit_code, result.output.strip()) == (
        1, "404 Not in the book: no event of source 'a' with id 'b'",
    )  # fmt: skip


def test_a_rejected_event_says_why(system: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = {"outcome": "rejected", "reason": "no usage", "recorded_at": "2026-11-23T10:00:00Z"}
    answering(monkeypatch, 200, {**RECEIPT, "status": "rejected", "entries": [], "copies": [copy]})
    assert "rejected: no usage" in run("checkout-bot", "req/81").output


def test_an_api_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPENDMETER_INGEST_URL", "SPENDMETER_API_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
    result = run("a", "b")
    assert (result.exit_code, "does not answer" in result.output) == (1, True)
