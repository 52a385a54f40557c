"""spendmeter channel, before an api that notes what it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

ID = EXAMPLES["channel"]["id"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(["channel"]), ["channel", *arguments])


def test_a_channel_is_added_with_its_routes_and_a_secret_from_a_file(api: Api, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-1234567890-abc\n")
    api.answers = [(201, EXAMPLES["created_channel"])]
    result = run(
        "add", "team", "slack", "--set", f"token=@{tmp_path}/token", "--set", "channel=C0123ABCD",
        "--severity", "warning", "--incident", "budget", "--filter", "team=search",
        "--quiet", "22:00-08:00/12345", "--digest", "60",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    [(method, path, _, body)] = api.asked
    assert (method, path) == ("POST", "channels")
    assert body == {
        "name": "team", "kind": "slack", "settings": {"token": "xoxb-1234567890-abc", "channel": "C0123ABCD"},
        "match": {"severity": "warning", "kinds": ["budget"], "scope": {"team": "search"}},
        "quiet": [{"from": "22:00", "until": "08:00", "weekdays": [1, 2, 3, 4, 5]}],
        "digest_minutes": 60, "position": 0,
    }  # fmt: skip
    assert f"signed with {EXAMPLES['created_channel']['secret']}" in result.output


def test_labels_of_an_alertmanager_are_set_one_by_one(api: Api) -> None:
    api.answers = [(201, {**EXAMPLES["created_channel"], "secret": None})]
    run("add", "am", "alertmanager", "--set", "url=https://am.example", "--set", "labels.team=x")
    assert api.asked[0][3]["settings"] == {"url": "https://am.example", "labels": {"team": "x"}}


@pytest.mark.parametrize("arguments", [("--set", "url"), ("--quiet", "22"), ("--quiet", "22:00-08:00/9")])
def test_what_has_not_its_form_is_a_wrong_use(api: Api, arguments: tuple[str, str]) -> None:
    assert run("add", "a", "webhook", *arguments).exit_code == 2
    assert api.asked == []


def test_the_list_says_how_each_fares(api: Api) -> None:
    failing = EXAMPLES["channel"] | {"failing_since": "2026-11-23T10:00:00Z", "last_error": "HTTP 500"}
    api.answers = [(200, {"channels": [EXAMPLES["channel"], failing]})]
    lines = run("list").output.splitlines()
    assert lines[0].startswith("on-call (webhook): last delivered 2026-11-23 10:00")
    assert lines[1] == f"  told: from warning on, team=search, quiet 22:00-08:00; {ID}"
    assert "failing since 2026-11-23 10:00" in lines[2]
    assert lines[2].endswith(": HTTP 500")


def test_a_test_that_does_not_arrive_fails_the_command(api: Api) -> None:
    api.answers = [
        (200, EXAMPLES["channel_test"]),
        (200, EXAMPLES["channel_test"] | {"state": "delivered", "error": ""}),
    ]
    result = run("test", ID)
    assert result.exit_code == 1
    assert "HTTP 404" in result.output
    assert run("test", ID).output == "delivered\n"
    assert api.asked[0][:2] == ("POST", f"channels/{ID}/test")


def test_deliveries_are_a_line_each(api: Api) -> None:
    [delivered] = EXAMPLES["channel_deliveries"]["deliveries"]
    held = delivered | {"state": "pending", "held": "quiet", "next_attempt_at": "2026-11-24T07:00:00Z"}
    api.answers = [(200, {"deliveries": [delivered, held], "next_cursor": None})]
    lines = run("deliveries", ID, "--state", "pending").output.splitlines()
    assert "delivered  opened" in lines[0]
    assert "next 2026-11-24 07:00" in lines[1]
    assert lines[1].endswith("(quiet)")
    assert api.asked[0][2] == {"state": ["pending"], "limit": 50}


def test_a_channel_is_removed_with_its_name_said(api: Api) -> None:
    api.answers = [(200, EXAMPLES["channel"]), (204, None)]
    result = run("remove", ID, "--yes")
    assert (result.exit_code, result.output) == (0, "removed: on-call (webhook)\n")
    assert [asked[0] for asked in api.asked] == ["GET", "DELETE"]


@pytest.mark.parametrize(("command", "on"), [("enable", True), ("disable", False)])
def test_a_channel_is_switched_off_and_on_again(api: Api, command: str, on: bool) -> None:
    off = {"disabled_at": None if on else "2026-11-23T10:00:00Z", "disabled_reason": "by key kx"}
    api.answers = [(200, EXAMPLES["channel"] | off)]
    output = run(command, ID).output
    assert api.asked == [("PATCH", f"channels/{ID}", None, {"enabled": on})]
    assert ("off since 2026-11-23 10:00Z: by key kx" in output) is not on


def test_a_channel_that_is_off_says_how_to_switch_it_on(api: Api) -> None:
    gone = {"disabled_at": "2026-11-23T10:00:00Z", "disabled_reason": "HTTP 410"}
    api.answers = [(200, {"channels": [EXAMPLES["channel"] | gone]})]
    assert f"  on again: spendmeter channel enable {ID}" in run("list").output.splitlines()
