"""spendmeter agents, before an api that notes what it is asked."""

from __future__ import annotations

from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api
from tests.cli.test_reading import run


def test_tools_are_shown_by_team_with_what_a_merged_change_cost_and_idle_seats(api: Api) -> None:
    api.answers = [(200, EXAMPLES["coding_agents"])]
    result = run("agents", "--since", "2026-10-27", "--tool", "claude-code", "--tool", "github-copilot")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]
    assert lines == [
        "2026-10-27 to 2026-11-26; merged: pull_request_merged",
        "tool team cost seats sessions merged per merged change currency",
        "claude-code platform 990.00 180.00 412 66 15.00 USD",
        "claude-code (3 small teams) 220.00 0.00 70 12 USD",
        "insufficient data: 12 merged changes, 30 are needed",
        "4 merged changes are in no row: they name neither a session of a tool nor a tool",
        "licence tool seats nobody has used idle idle a month currency as of",
        "copilot github-copilot 10 3 6 4 120.00 USD 2026-11-25",
    ]
    asked = [("from", "2026-10-27"), ("tool", "claude-code"), ("tool", "github-copilot")]
    assert api.asked[0][1:3] == ("coding-agents", asked)


def test_seats_of_which_nothing_is_known_are_called_so_and_a_bound_is_one(api: Api) -> None:
    answer = EXAMPLES["coding_agents"]
    unknown = dict.fromkeys(("day", "active", "idle", "idle_cost_per_month", "idle_cost"))
    answer = answer | {
        "rows": [answer["rows"][0] | {"lower_bound": True}],
        "seats": [answer["seats"][0] | unknown],
    }
    api.answers = [(200, answer)]
    text = " ".join(run("agents").output.split())
    assert "at least 990.00" in text
    assert "at least 15.00" in text
    assert "10 3 unknown unknown unknown USD" in text
