"""`spendmeter catalog pull`: what a person reads, and the exit code."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from cli.catalog import pull as command

HASH = "0123456789abcdef" * 4


def file(source: str, state: str, says: str = "", sha256: str = HASH) -> dict[str, Any]:
    return {"source": source, "state": state, "says": says, "sha256": sha256, "bytes": 1_096_003}


def answer(state: str, says: str, *files: dict[str, Any], **report: Any) -> dict[str, Any]:
    return {
        "id": 7, "started_at": "2026-11-26T03:57:00Z", "started_by": "key k1", "state": state, "says": says,
        "files": list(files), "withdrawn_version": None,
        "report": {"models": [], "proposals": [], "approved": [], "notes": []} | report,
    }  # fmt: skip


def pulled(done: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    amounts = [{"before": "58.5", "after": "38", "currency": "USD", "difference": "-20.5"}]
    review = {"changes_total": 1_085, "findings_total": 4, "impact": {"amounts": amounts}}
    proposal = {"id": 2, "name": "genai-prices.0123456789ab.json", "review": review}
    monkeypatch.setattr(command, "ask", lambda _, path, *__: proposal if path != "pulls" else done)
    return CliRunner().invoke(build(["catalog"]), ["catalog", "pull", *arguments])


def test_what_waits_for_a_person_is_said_with_its_money_and_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = {"provider": "openai", "sku": "gpt-9", "source": "genai-prices", "second": "litellm", "why_not": ""}
    done = answer(
        "proposed", "2 proposals, 1 approved by the policy", file("genai-prices", "read"),
        models=[new, new | {"sku": "gpt-10", "why_not": "no second list has it"}], proposals=[1, 2], approved=[1],
        rerates=[{
            "tenant": "acme", "says": "up to 3 events of acme waited for this", "rerate_id": None,
            "body": {"publication": 5, "statuses": ["unpriced"]},
        }],
    )  # fmt: skip
    result = pulled(done, monkeypatch)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "pull 7, 2026-11-26 03:57Z by key k1: 2 proposals, 1 approved by the policy",
        "  genai-prices: read, 1,096,003 bytes, sha256 0123456789ab",
        "  new: openai/gpt-9: approved: genai-prices and litellm agree",
        "  new: openai/gpt-10: waits for a person: no second list has it",
        "up to 3 events of acme waited for this",
        "  next: spendmeter rerate --publication 5 --status unpriced --tenant acme",
        "proposal 2, genai-prices.0123456789ab.json: 1,085 changes, 4 findings; 58.5 -> 38 USD (-20.5). "
        "Next: spendmeter catalog diff 2",
    ]
    assert "ten seconds" in result.stderr


def test_a_file_that_was_refused_says_why_and_fails_the_command_whatever_became_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = file("litellm", "refused", "litellm.json: JSON is malformed")
    result = pulled(answer("proposed", "1 proposal", file("genai-prices", "read"), bad), monkeypatch)
    assert "  litellm: refused, litellm.json: JSON is malformed, 1,096,003 bytes" in result.stdout
    assert result.exit_code == 1


def test_offline_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    away = file("litellm", "away", "https://x.example: cannot be reached", sha256="")
    result = pulled(answer("away", "offline", away), monkeypatch)
    assert "  litellm: away, https://x.example: cannot be reached\n" in result.stdout
    assert result.exit_code == 3


def test_programs_get_json_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    result = pulled(answer("unchanged", "nothing new"), monkeypatch, "--json")
    assert (result.stdout[0], result.stderr, result.exit_code) == ("{", "", 0)
