"""spendmeter incidents acknowledge, snooze and feedback, and spendmeter planned, before an api that notes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

INCIDENT = EXAMPLES["incident"]
ID = INCIDENT["id"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(["incidents", "planned"]), arguments)


def test_an_incident_is_acknowledged_as_whoever_may_change(api: Api) -> None:
    api.answers = [(200, INCIDENT)]
    result = run("incidents", "acknowledge", ID, "--note", "on it")
    assert result.exit_code == 0, result.output
    assert api.asked == [("POST", f"incidents/{ID}/acknowledge", None, {"note": "on it"})]
    assert api.key == "sm_admin"


def test_a_snooze_is_for_so_long_or_until_then(api: Api) -> None:
    api.answers = [(200, INCIDENT)]
    assert run("incidents", "snooze", ID, "--for", "4h", "--tenant", "acme").exit_code == 0
    until = datetime.fromisoformat(api.asked[0][3]["until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=4)) < timedelta(minutes=1)
    assert (
        "snoozed until 2026-11-23 14:00Z"
        in run("incidents", "snooze", ID, "--until", "2026-11-30").output.splitlines()
    )
    assert api.asked[1][3] == {"until": "2026-11-30T00:00:00Z", "note": ""}


@pytest.mark.parametrize(
    "said", [(), ("--for", "4"), ("--for", "x h"), ("--for", "0h"), ("--for", "1h", "--until", "2026-11-30")]
)
def test_a_snooze_without_an_end_is_a_wrong_use(api: Api, said: tuple[str, ...]) -> None:
    assert run("incidents", "snooze", ID, *said).exit_code == 2
    assert api.asked == []


def test_feedback_is_shown_beside_the_incident(api: Api) -> None:
    api.answers = [(200, INCIDENT)]
    lines = run("incidents", "feedback", ID, "expected", "--note", "the evaluation").output.splitlines()
    assert api.asked[0][3] == {"says": "expected", "note": "the evaluation"}
    assert "expected, says key k7f3a00000000: the evaluation before the release" in lines


def test_the_acts_on_an_incident_are_listed(api: Api) -> None:
    api.answers = [(200, EXAMPLES["incident_acts"])]
    assert run("incidents", "acts", ID).output.strip() == (
        "2026-11-23 10:04Z  snooze until 2026-11-23 14:00Z  by key k7f3a00000000: waits for the vendor"
    )


def test_spend_is_planned_listed_and_called_off(api: Api) -> None:
    window = EXAMPLES["planned_window"]
    api.answers = [(201, window)]
    result = run(
        "planned", "add", "Re-embedding", "--filter", "team=data", "--from", "2026-11-28T20:00:00Z",
        "--until", "2026-11-29T06:00:00Z", "--reason", "approved",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert api.asked[0][3] == {
        "name": "Re-embedding", "filter": {"team": "data"}, "starts_at": "2026-11-28T20:00:00Z",
        "ends_at": "2026-11-29T06:00:00Z", "reason": "approved",
    }  # fmt: skip
    api.answers = [(200, {"windows": [window]})]
    assert run("planned", "list").output.splitlines() == [
        "Re-embedding of the archive (ahead): team=data, 2026-11-28 20:00Z to 2026-11-29 06:00Z",
        f"  by key k7f3a00000000: approved by finance on the 20th; {window['id']}",
    ]
    api.answers = [(200, window)]
    assert run("planned", "cancel", window["id"], "--reason", "not yet").exit_code == 0
    assert api.asked[-1] == ("DELETE", f"planned-windows/{window['id']}", {"reason": "not yet"}, None)
