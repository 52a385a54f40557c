"""`spendmeter price`, with nothing running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import build

APP = build(["price"])


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also beside a running `make up`."""
    monkeypatch.setenv("SPENDMETER_HOME", str(tmp_path))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, ["price", *arguments])


def said(*arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return answer


GPT_4O = ("openai/gpt-4o", "input_tokens=2000", "cache_read_tokens=8000", "output_tokens=1000")


def test_a_person_can_redo_the_arithmetic() -> None:
    text = run(*GPT_4O).stdout
    assert "8,000 cache_read_tokens  x  0.00000125  =  0.01 USD" in text
    assert "total  =  0.025 USD, priced" in text
    assert "1.25 USD per 1,000,000 cache_read_tokens of openai/gpt-4o, says genai-prices" in text


def test_json_has_total_currency_status_and_lines() -> None:
    answer = said(*GPT_4O)
    assert (answer["total"], answer["currency"], answer["status"]) == ("0.025", "USD", "priced")
    assert [line["quantity"] for line in answer["lines"]] == [2000, 8000, 1000]
    assert [line["amount"] for line in answer["lines"]] == ["0.005", "0.01", "0.01"]


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        (("openai/o3", "input_tokens=1000000", "--at", "2025-06-01"), "10"),
        (("openai/o3", "input_tokens=1000000", "--at", "2025-06-10T00:00:00Z"), "2"),
        (("openai/gpt-4o", "input_tokens=1000000", "--tier", "batch", "--at", "2026-11-01"), "1.25"),
        (("openai/gpt-4o", "input_tokens=1000000", "--tier", "Priority", "--at", "2026-11-01"), "4.25"),
        (("gemini/gemini-2.5-pro", "input_tokens=200001"), "0.5000025"),
        (("azure/gpt-4o", "input_tokens=1000000"), "2.5"),
        (("aws/aurora-standard", "io_requests=1000000", "--region", "us-east-1"), "0.2"),
        (("anthropic/claude-opus-9", "input_tokens=1000000"), "6"),
    ],
)
def test_time_tier_region_and_other_names_are_understood(arguments: tuple[str, ...], total: str) -> None:
    assert said(*arguments)["total"] == total


def test_an_unknown_model_is_bounded_and_what_is_near_is_named() -> None:
    answer = said("anthropic/claude-opus-9", "input_tokens=10")
    assert answer["status"] == "provisional"
    assert "did you mean claude-opus" in answer["hint"]


def test_of_an_unknown_provider_a_name_that_says_no_model_is_unpriced_and_what_is_near_is_named() -> None:
    text = run("opnai/nothing-known", "input_tokens=10").stdout
    assert "did you mean openai?" in text
    assert "at least 0 USD, unpriced" in text
    text = run("opnai/gpt-4o", "input_tokens=10").stdout
    assert "did you mean openai?" in text
    assert "provisional" in text, "what a gateway's name says of a model bounds it: never more"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("openai/gpt-4o", "input_tokns=1"), "did you mean input_tokens"),
        (("openai/gpt-4o", "prompt_tokens=1"), "prompt_tokens is OpenAI's"),
        (("openai/gpt-4o", "prompt_tokens=1"), "send input_tokens, cache_read_tokens"),
        (("openai/gpt-4o", "input_tokens"), "write UNIT=NUMBER"),
        (("openai/gpt-4o", "input_tokens=-1"), "input_tokens: must be"),
        (("openai/gpt-4o", "input_tokens=1.5"), "whole number"),
        (("openai/gpt-4o", "input_tokens=1", "input_tokens=2"), "given twice"),
        (("gpt-4o", "input_tokens=1"), "write PROVIDER/SKU"),
        (("openai/gpt-4o", "input_tokens=1", "--at", "yesterday"), "--at 'yesterday'"),
        (("google/gemini-2.5-flash", "searches=3", "grounded_prompts=1"), "would be charged twice"),
    ],
)
def test_what_is_not_understood_is_named_with_the_rule(arguments: tuple[str, ...], reason: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (GPT_4O, 0),
        (("anthropic/claude-opus-9", "input_tokens=10"), 3),
        (("opnai/gpt-4o", "input_tokens=10"), 3),
        (("openai/gpt-4o", "input_tokens=10", "--tenant", "acme"), 2),
        (("openai/gpt-4o", "input_tokens=10", "--tenant", "acme", "--shipped"), 2),
    ],
)
def test_the_exit_code_says_whether_there_is_a_price(arguments: tuple[str, ...], code: int) -> None:
    assert run(*arguments).exit_code == code


def test_the_answer_says_whose_prices_they_are() -> None:
    assert "prices: the catalog of this release; no system is asked" in run(*GPT_4O).stdout
    assert said(*GPT_4O)["prices"] == "the catalog of this release; no system is asked"


def test_it_answers_at_once() -> None:
    began = time.process_time()
    run(*GPT_4O)
    assert time.process_time() - began < 0.5  # measured 0.1 s; the interpreter's start comes on top


def test_who_asks_for_json_gets_json_when_refused() -> None:
    result = run("openai/gpt-4o", "input_tokns=1", "--json")
    assert result.exit_code == 2
    assert "did you mean input_tokens" in json.loads(result.stdout)["detail"]
