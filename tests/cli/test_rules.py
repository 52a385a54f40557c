"""spendmeter rules, before an api that notes what it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

RULE: dict[str, Any] = EXAMPLES["rule"]
ID = RULE["id"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(["rules"]), ["rules", *arguments])


def test_the_list_says_what_is_on_and_what_is_not_as_everybody_has_it(api: Api) -> None:
    changed = {"amount_min": {"value": "25", "default": "1"}, "score_min": {"value": "2", "default": "2"}}
    rule = {
        "id": "minute-burst",
        "enabled": True,
        "severity": "critical",
        "name": "Burst",
        "settings": changed,
    }
    off = rule | {"id": "drift", "enabled": False, "filter": {"team": "data"}, "settings": {}}
    api.answers = [(200, {"rules": [rule | {"filter": {}}, off]})]
    assert run("list").output.splitlines() == [
        "on   minute-burst      critical  Burst, amount_min=25",
        "off  drift             critical  Burst, team=data",
    ]


def test_a_rule_is_set_as_it_was_read_and_what_is_empty_is_the_default_again(api: Api) -> None:
    settings = {
        "subjects": {"type": "choices"},
        "amount_min": {"type": "amount"},
        "events_min": {"type": "count"},
    }
    api.answers = [(200, RULE | {"settings": settings, "revision": 7}), (200, RULE)]
    result = run(
        "set",
        ID,
        "subjects=model, key",
        "amount_min=25",
        "events_min=",
        "--severity",
        "info",
        "--reason",
        "noise",
    )
    assert result.exit_code == 0, result.output
    assert api.asked[1] == (
        "PATCH", f"rules/{ID}", None,
        {
            "settings": {"subjects": ["model", "key"], "amount_min": "25", "events_min": None},
            "severity": "info", "reason": "noise", "revision": 7,
        },
    )  # fmt: skip
    assert RULE["name"] in result.output
    assert run("set", ID, "amount_min", "--reason", "x").exit_code == 2


def test_a_rule_is_switched_off_and_on_with_a_reason(api: Api) -> None:
    api.answers = [(200, RULE)]
    for state, enabled in (("off", False), ("on", True)):
        assert run(state, ID, "--reason", "for the migration").exit_code == 0
        assert api.asked[-1][3] == {
            "enabled": enabled, "reason": "for the migration", "revision": RULE["revision"],
        }  # fmt: skip


def test_its_history_says_who_and_why(api: Api) -> None:
    api.answers = [(200, EXAMPLES["rule_history"])]
    assert run("history", ID).output.strip() == (
        "2026-11-27 09:00Z  12  on, amount_min=25  by key k7f3a00000000: a new key for each pull request is no news"
    )


def test_quality_is_said_of_one_rule_and_of_all_the_worst_first(api: Api) -> None:
    quality = EXAMPLES["rule_quality"]
    api.answers = [(200, quality)]
    lines = run("quality", "minute-burst").output.splitlines()
    assert lines == [
        "Spend far over expectation (minute-burst)",
        "  30 days: 12 told (0.4 a day), 5 acknowledged after 4 min, 4 expected, 3 false alarms, 6 repeats, "
        "1,840.50 USD; 0.36 were worth it",
        "  90 days: 31 told (0.34 a day), 14 acknowledged after 5 min, 9 expected, 7 false alarms, 11 repeats, "
        "5,120.00 USD; 0.43 were worth it",
        "  proposed: amount_min of 25 (now 1) spares 13 of 16; 12 that were worth it cost more",
    ]
    good = quality | {"id": "loop", "name": "Loop", "enabled": False, "proposal": None}
    good["records"] = [each | {"precision": "0.9"} for each in quality["records"]]
    api.answers = [(200, {"rules": [{"id": "loop"}, {"id": "minute-burst"}]}), (200, good), (200, quality)]
    assert [line for line in run("quality").output.splitlines() if line[0] != " "] == [
        "Spend far over expectation (minute-burst)",
        "Loop (loop), off",
    ]


def test_a_rule_is_tried_and_what_would_have_fired_is_listed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.rules._ASK_AGAIN_S", 0)
    trial = EXAMPLES["dry_run"]
    waiting = trial | {"state": "waiting", "result": None}
    rule = RULE | {"settings": {"amount_min": {"type": "amount"}}}
    api.answers = [(200, rule), (202, waiting), (200, waiting), (200, trial)]
    result = run("try", "minute-burst", "amount_min=25", "--days", "7")
    assert [(method, path) for method, path, *_ in api.asked] == [
        ("GET", "rules/minute-burst"),
        ("POST", "rules/minute-burst/dry-run"),
        *[("GET", f"rules/minute-burst/dry-run/{trial['id']}")] * 2,
    ]
    assert api.asked[1][3] == {"settings": {"amount_min": "25"}, "days": 7}
    assert result.output.splitlines() == [
        "3 incidents in 2026-11-16 10:04Z to 2026-11-23 10:04Z: 0.43 a day, 4 messages, 412.50 USD caught",
        "  2026-11-19 02:11Z  300.00 USD  agent=deep-research",
        "  and 2 more",
        "  each minute is judged once, at its end",
    ]
    api.answers = [
        (200, rule),
        (202, trial | {"state": "failed", "result": None, "error": "it took too long"}),
    ]
    failed = run("try", "minute-burst")
    assert (failed.exit_code, "it took too long" in failed.output + failed.stderr) == (1, True)
