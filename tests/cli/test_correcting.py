"""Commands that correct what is booked, before an api that notes what it is asked."""

from __future__ import annotations

import json

import pytest
from click.testing import Result
from typer.testing import CliRunner

import cli._following
from cli import _correcting
from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

JOB = EXAMPLES["rerate"]
ID = JOB["rerate_id"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli._following, "POLL_S", 0)


def run(*arguments: str, say: str | None = None) -> Result:
    return CliRunner().invoke(build([arguments[0]]), arguments, input=say)


def test_fields_become_a_merge_patch_of_the_events_data(api: Api) -> None:
    api.answers = [(200, EXAMPLES["correction"] | {"kind": "amend", "revision": 2})]
    result = run(
        "correct", "bot", "req/81", "--set", "usage.input_tokens=5", "--set", "labels.team=a=b", "--unset",
        "labels.feature", "--set", "context.batch=true", "--reason", "counted twice", "--tenant", "acme",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    [(method, path, _, body)] = api.asked
    assert (method, path, api.tenant, api.key) == ("POST", "corrections", "acme", "sm_admin")
    assert body["patch"] == {
        "usage": {"input_tokens": "5"}, "labels": {"team": "a=b", "feature": None}, "context": {"batch": True},
    }  # fmt: skip
    assert (body["kind"], body["source"], body["id"], body["reason"]) == (
        "amend",
        "bot",
        "req/81",
        "counted twice",
    )
    assert "revision" not in body and len(body["correction_id"]) == 36
    assert result.output.splitlines()[0] == "retracted: now 0 USD (was 0.01 USD)"
    assert "  1 reversal                -0.01 USD  priced" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--set", "usage.input_tokens"),
        ("--set", "usage=5", "--set", "usage.input_tokens=5"),
        ("--set", "labels.team=a", "--unset", "labels.team"),
        ("--set", "context.batch=perhaps"),
    ],
)
def test_what_is_no_change_is_not_asked_for(api: Api, arguments: tuple[str, ...]) -> None:
    assert run("correct", "bot", "1", "--reason", "r", *arguments).exit_code == 2
    assert api.asked == []


def test_a_void_is_asked_for_once_more_at_a_terminal_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answers = [(200, EXAMPLES["correction"])]
    assert run("retract", "bot", "req/81", "--reason", "a test").exit_code == 0
    assert api.asked[0][3]["kind"] == "retract"
    asked: list[str] = []

    def say_no(question: str, abort: bool) -> None:
        asked.append(question)
        raise _correcting.typer.Abort

    monkeypatch.setattr(_correcting, "at_a_terminal", lambda: True)
    monkeypatch.setattr(_correcting.typer, "confirm", say_no)
    assert run("retract", "bot", "req/81", "--reason", "a test").exit_code == 1
    assert (len(api.asked), "Void bot/req/81?" in asked[0]) == (1, True)
    assert run("retract", "bot", "req/81", "--reason", "a test", "--yes").exit_code == 0


@pytest.mark.parametrize("state", ["refused", "superseded", "unknown"])
def test_what_changed_nothing_ends_with_1(api: Api, state: str) -> None:
    api.answers = [
        (200, EXAMPLES["correction"] | {"state": state, "summary": f"{state}: because", "entries": []})
    ]
    result = run("retract", "bot", "1", "--reason", "r")
    assert (result.exit_code, result.output.splitlines()[0]) == (1, f"{state}: because")


def test_an_operator_who_names_no_tenant_is_told_how(api: Api) -> None:
    api.answers = [(400, {"title": "No tenant", "detail": "an operator key names the tenant"})]
    result = run("corrections")
    assert (result.exit_code, "--tenant TENANT" in result.output) == (1, True)


def test_corrections_are_listed_with_who_and_why(api: Api) -> None:
    api.answers = [(200, EXAMPLES["corrections"])]
    result = run("corrections", "--state", "applied", "--since", "2026-11-01")
    assert api.asked[0][2] == {"state": "applied", "from": "2026-11-01", "limit": 50}
    assert result.output.strip().endswith("by key k7f3a... (finops): a test run that was never billed")


def test_a_dry_run_is_a_table_by_team_and_model_and_books_nothing(api: Api) -> None:
    running = JOB | {"state": "previewing", "preview": None}
    api.answers = [(202, running), (200, running), (200, JOB)]
    result = run(
        "rerate", "--model", "openai/gpt-9", "--since", "2026-11-01", "--status", "priced", "--missing-rate", "eur",
        "--publication", "14", "--reason", "per million",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    body = api.asked[0][3]
    assert {name: body[name] for name in body if name != "rerate_id"} == {
        "reason": "per million", "providers": ["openai"], "skus": ["gpt-9"], "since": "2026-11-01T00:00:00Z",
        "statuses": ["priced"], "missing_rate_of": "EUR", "publication": 14,
    }  # fmt: skip
    assert [path for _, path, *_ in api.asked] == ["rerates", f"rerates/{ID}", f"rerates/{ID}"]
    words = " ".join(result.output.split())
    assert "payments openai/gpt-9 3 30 0.00003 -29.99997 USD" in words
    assert "because of price: 3 events, 30 -> 0.00003 USD (-29.99997)" in words
    assert words.endswith(f"next: spendmeter rerates apply {ID}")


def test_apply_books_after_the_dry_run_was_seen(api: Api) -> None:
    applied = JOB | {"state": "applied", "applied": JOB["preview"], "summary": "changed 3 of 41,200 events"}
    api.answers = [(200, JOB), (202, JOB | {"state": "applying"}), (200, applied)]
    result = run("rerate", "--reason", "r", "--apply", "--json")
    assert json.loads(result.output)["state"] == "applied"
    assert [path for _, path, *_ in api.asked] == ["rerates", f"rerates/{ID}/apply", f"rerates/{ID}"]
    api.answers = [(200, JOB), (200, applied)]
    assert "changed 3 of 41,200 events" in run("rerates", "apply", ID, "--yes").output


def test_models_of_two_providers_are_two_jobs(api: Api) -> None:
    assert run("rerate", "--model", "openai/a", "--model", "google/b", "--reason", "r").exit_code == 2
    assert api.asked == []


@pytest.mark.parametrize("command, path", [("show", ""), ("cancel", "/cancel")])
def test_a_job_is_shown_and_cancelled(api: Api, command: str, path: str) -> None:
    api.answers = [(200, JOB)]
    assert ID in run("rerates", command, ID).output
    assert api.asked[0][1] == f"rerates/{ID}{path}"


def test_jobs_are_listed(api: Api) -> None:
    api.answers = [(200, EXAMPLES["rerates"])]
    assert f"{ID}  previewed  would change 3" in run("rerates", "--state", "previewed").output
    assert api.asked[0][2] == {"state": "previewed"}


def test_a_refusal_is_json_where_json_was_asked_for(api: Api) -> None:
    problem = {"title": "Invalid request", "detail": "reason: must have at least 1 character", "status": 422}
    api.answers = [(422, problem)]
    result = run("rerate", "--reason", "r", "--json")
    assert (result.exit_code, json.loads(result.output)) == (1, problem)
