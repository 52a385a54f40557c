"""spendmeter assets: what is asked, what is printed, and a spreadsheet row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import assets
from cli._assets import BadAssetFile, read_assets, share
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

ASSET, REPORT = EXAMPLES["asset"], EXAMPLES["asset_report"]


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(assets.app, list(arguments))
    return done.exit_code, done.output


def test_a_laptop_is_registered_with_what_was_said_of_it_and_nothing_else(api: Api) -> None:
    api.answers = [(201, ASSET)]
    code, said = run(
        "add", "laptop-0042", "hardware", "ThinkPad P1", "--starts", "2026-11-01", "--cost", "2400", "--months", "36",
        "--label", "team=search", "--tenant", "acme",
    )  # fmt: skip
    assert code == 0, said
    body = {
        "id": "laptop-0042", "kind": "hardware", "name": "ThinkPad P1", "starts_on": "2026-11-01", "months": "36",
        "cost": "2400", "labels": {"team": "search"},
    }  # fmt: skip
    assert api.asked == [("POST", "assets", None, body)]
    assert (api.key, api.tenant) == ("sm_admin", "acme")
    assert "accrued 56.478102189781 USD by 2026-11-26T18:00, 2343.521897810219 to come" in said


def test_seats_are_said_by_who_has_them(api: Api) -> None:
    api.answers = [(200, REPORT)]
    assert (
        run("assign", "copilot", "--assigned", "team=search:4", "--from", "2026-11-15", "--reason", "x")[0]
        == 0
    )
    body = {
        "assigned": [{"labels": {"team": "search"}, "weight": 4}],
        "reason": "x",
        "effective_from": "2026-11-15",
    }
    assert api.asked == [("PATCH", "assets/copilot", None, body)]
    assert run("assign", "copilot", "--assigned", "team", "--reason", "x")[0] == 2
    assert run("assign", "copilot", "--reason", "x")[0] == 2


def test_other_commands_ask_for_what_they_say(api: Api) -> None:
    api.answers = [(200, REPORT)]
    assert (
        "what was booked of hours before is amended"
        in run("retire", "l", "--proceeds", "5", "--reason", "sold")[1]
    )
    assert run("change", "l", "--seats", "12", "--reason", "two more")[0] == 0
    api.answers = [(200, REPORT | {"timesheet_hours": "7.5", "timesheet_amount": "603.75"})]
    said = run("show", "l")[1]
    assert "was forgotten" in said and "603.75 USD for 7.5 h that were written down" in said
    api.answers = [(201, EXAMPLES["timesheet"])]
    assert "7.5 h on 2026-11-20, 603.75 USD, revision 1" in run("hours", "l", "e", "2026-11-20", "7.5")[1]
    api.answers = [(200, EXAMPLES["seat_activity"])]
    assert run("activity", "l", "2026-11-25", "31")[0] == 0
    assert [(method, path, body) for method, path, _, body in api.asked] == [
        ("PATCH", "assets/l", {"retired": True, "proceeds": "5", "reason": "sold"}),
        ("PATCH", "assets/l", {"seats": "12", "reason": "two more"}),
        ("GET", "assets/l", None),
        ("POST", "assets/l/timesheets", {"id": "e", "day": "2026-11-20", "hours": "7.5", "labels": {}}),
        ("POST", "assets/l/activity", [{"day": "2026-11-25", "active": 31}]),
    ]


def test_a_list_is_read_to_its_last_page(api: Api) -> None:
    page = EXAMPLES["assets"]
    api.answers = [(200, page | {"next_cursor": "more"}), (200, page | {"accruing": False})]
    said = run("list")[1]
    assert said.count("laptop-0042") == 2
    assert "nothing accrues" in said
    assert api.asked[1][2]["cursor"] == "more"


FILE = """id;kind;name;starts_on;cost;months;label.team;assigned
l-1;hardware;One;2026-11-01;2400;36;search;
;;;;;;;
l-2;hardware;Two;2026-11-01;0x;36;;
l-3;hardware;"Three; two of them";2026-11-01;100;12;;team=a:1|team=b
l-4;hardware;Four;2026-11-01;100;12;;team
"""


def test_a_spreadsheet_goes_in_row_by_row_and_bad_rows_are_named_by_line(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "laptops.csv"
    file.write_text(FILE, "utf-8-sig")
    problem = {
        "title": "Invalid request",
        "detail": "x",
        "errors": [{"field": "cost", "reason": "must be plain"}],
    }
    api.answers = [(201, ASSET), (422, problem), (200, ASSET)]
    code, said = run("import", str(file))
    assert code == 1
    assert said.splitlines() == [
        "line 4: cost: must be plain",
        "line 6: assigned: write NAME=VALUE:SEATS, as in team=search:4",
        "1 registered, 1 there already, 2 refused",
    ]
    bodies = [body for *_, body in api.asked]
    assert bodies[0]["labels"] == {"team": "search"}
    assert bodies[2]["name"] == "Three; two of them"
    assert bodies[2]["assigned"] == [
        {"labels": {"team": "a"}, "weight": 1},
        {"labels": {"team": "b"}, "weight": 1},
    ]


def test_a_dry_run_asks_for_nothing_to_be_registered(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("id,kind,name,starts_on,cost,months\nl-1,hardware,One,2026-11-01,2400,36\n")
    api.answers = [(200, ASSET | {"revision": 1})]
    assert run("import", str(file), "--dry-run") == (0, "1 would be registered, 0 there already, 0 refused\n")
    assert api.asked[0][2] == {"dry_run": "true"}


def test_a_row_that_is_to_come_later_comes_later(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(assets.time, "sleep", waited.append)
    file = tmp_path / "one.csv"
    file.write_text("id,kind,name,starts_on,cost,months\nl-1,hardware,One,2026-11-01,2400,36\n")
    api.answers = [(429, {"title": "Too much", "detail": "x"}), (503, {}), (201, ASSET)]
    assert run("import", str(file)) == (0, "1 registered, 0 there already, 0 refused\n")
    assert waited == [1, 1]


@pytest.mark.parametrize("head", ["", "name,kind", "id,colour", "id,id"])
def test_a_file_that_is_no_table_of_assets_is_refused_whole(head: str) -> None:
    with pytest.raises(BadAssetFile):
        list(read_assets([head, "1,2"]))


def test_a_share_without_a_number_is_one() -> None:
    expected: dict[str, Any] = {"labels": {"team": "a", "project": "p"}, "weight": 1}
    assert share("team=a,project=p") == expected
