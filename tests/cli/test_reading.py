"""Commands that show spend, budgets and incidents, before an api that notes what it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import _correcting
from cli.app import build
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

INCIDENT = EXAMPLES["incident"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build([arguments[0]]), arguments)


def alone(spend: dict[str, Any]) -> dict[str, Any]:
    """With nothing beside its rows."""
    rows = {name: [row | {"compared": {}} for row in spend[name]] for name in ("totals", "series")}
    return spend | rows | {"compared_with": None}


def test_what_was_spent_before_stands_beside_each_row(api: Api) -> None:
    api.answers = [(200, EXAMPLES["spend"] | {"series": [], "totals": EXAMPLES["spend"]["totals"][:1]})]
    result = run("spend", "--group", "team", "--compare", "previous")
    _, span, _, row = (" ".join(line.split()) for line in result.output.splitlines())
    assert span == "before: 2026-11-22 00:00+01:00 to 2026-11-23 00:00+01:00"
    assert row == "payments 3 0.0750 0.0600 0.00 0 0.0500 0.0100 20 % USD"
    assert ("compare", "previous") in api.asked[0][2]


def test_what_was_spent_is_a_table_with_its_bounds_and_what_has_no_amount(api: Api) -> None:
    api.answers = [(200, alone(EXAMPLES["spend"]) | {"series": []})]
    result = run("spend", "--range", "today", "--group", "team", "--filter", "sku=a", "--filter", "sku=")
    assert result.exit_code == 0, result.output
    heading, columns, payments, others = (" ".join(line.split()) for line in result.output.splitlines())
    assert heading == (
        "2026-11-23 00:00+01:00 to 2026-11-24 00:00+01:00 (Europe/Berlin), "
        "complete through 2026-11-23T18:31:07.120Z"
    )
    assert columns == "team events list effective of which provisional unpriced events currency"
    assert payments == "payments 3 0.0750 0.0600 0.00 0 USD"
    assert others == "(19,997 others) 41,200 12.50 10.00 0.00 0 USD"
    assert api.asked == [
        (
            "GET",
            "spend",
            [
                ("range", "today"), ("group_by", "team"), ("top", "100"), ("usage", "false"),
                ("filter.sku", "a"), ("filter.sku", ""),
            ],
            None,
        )
    ]  # fmt: skip


def test_spend_as_it_stood_says_at_which_moment(api: Api) -> None:
    then = {"as_of": "2026-11-24T09:00:00+01:00", "complete_through": None, "series": []}
    api.answers = [(200, alone(EXAMPLES["spend"]) | then)]
    result = run("spend", "--range", "yesterday", "--as-of", "2026-11-24T08:00:00Z")
    assert ("as_of", "2026-11-24T08:00:00Z") in api.asked[0][2]
    assert "(Europe/Berlin), as it stood at 2026-11-24T09:00:00+01:00" in result.output


def test_spend_over_time_is_a_row_a_bucket_and_one_of_all(api: Api) -> None:
    api.answers = [(200, alone(EXAMPLES["spend"]))]
    result = run(
        "spend", "--since", "2026-11-23", "--until", "2026-11-24", "--bucket", "day", "--group", "team"
    )
    rows = [" ".join(line.split()) for line in result.output.splitlines()]
    assert rows[2] == "2026-11-23 00:00+01:00 payments 3 0.0750 0.0600 0.00 0 USD"
    assert rows[4] == "in all payments 3 0.0750 0.0600 0.00 0 USD"
    assert api.asked[0][2][:3] == [("from", "2026-11-23"), ("to", "2026-11-24"), ("bucket", "day")]
    assert ("limit", "5000") in api.asked[0][2]


def test_what_is_no_dimension_is_refused_by_the_argument_with_those_that_are(api: Api) -> None:
    reason = "'tem' is not one of cost_class, provider, sku, team"
    for field, arguments, said in (
        ("group_by", ("--group", "tem"), "--group"),
        ("filter.tem", ("--filter", "tem=a"), "--filter tem"),
    ):
        problem = {
            "title": "Invalid request",
            "detail": "...",
            "errors": [{"field": field, "reason": reason}],
        }
        api.answers = [(422, problem)]
        result = run("spend", *arguments)
        assert (result.exit_code, result.output.strip()) == (1, f"refused: {said}: {reason}")
        assert json.loads(run("spend", *arguments, "--json").output) == problem


def test_a_filter_without_a_name_is_not_asked_for(api: Api) -> None:
    assert run("spend", "--filter", "=a").exit_code == run("spend", "--filter", "team").exit_code == 2
    assert run("budget", "add", "x", "5", "--filter", "team=a", "--filter", "team=b").exit_code == 2
    assert api.asked == []


@pytest.mark.parametrize("command", ["spend", "incidents", "unbooked"])
def test_a_tenants_own_key_reads_and_an_operators_where_a_tenant_is_named(api: Api, command: str) -> None:
    name = "faults" if command == "unbooked" else command
    api.answers = [(200, EXAMPLES[name])]
    assert run(command, "--json").exit_code == 0
    assert (api.key, api.tenant) == ("sm_reader", "")
    assert json.loads(run(command, "--tenant", "acme", "--json").output) == EXAMPLES[name]
    assert (api.key, api.tenant) == ("sm_admin", "acme")


def test_a_refusal_of_what_was_not_booked_is_the_apis_problem_as_of_every_command(api: Api) -> None:
    problem = {"title": "Invalid request", "status": 422, "detail": "from: names a day that no calendar has"}
    api.answers = [(422, problem)]
    result = run("unbooked", "--since", "2026-13-01", "--json")
    assert (result.exit_code, json.loads(result.output)) == (1, problem)
    assert run("unbooked", "--nobody", "--tenant", "acme").exit_code == 2


def test_a_budget_is_set_with_what_it_is_of(api: Api) -> None:
    api.answers = [(201, EXAMPLES["budget"])]
    result = run(
        "budget", "add", "Search, monthly", "5000", "--filter", "team=search", "--threshold", "80", "--threshold",
        "100", "--tenant", "acme",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "Search, monthly: 5000 USD a month, team=search",
        "  spent 1,200.50 USD (24 %), of which provisional 0.00, 2026-11-01 00:00+01:00 to 2026-12-01 00:00+01:00",
        "  3,500.00 USD of it are promised to 2 budgets below it",
        "  lies within 3c1b7a52-94f1-4f1e-8a39-9a1b1c1d1e1f",
        "  expected by its end 1,570.75 USD (1,455.20 to 1,702.40)",
        "  tells at 80 %, 100 %, and when 100 % is expected; 0b9c2f2e-6f0e-4c1e-9f5e-2d1a6f0c9b11",
    ]
    body = {"name": "Search, monthly", "amount": "5000", "period": "month", "filter": {"team": "search"}}
    assert api.asked == [("POST", "budgets", None, body | {"thresholds_percent": ["80", "100"]})]
    assert (api.key, api.tenant) == ("sm_admin", "acme")


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ("--period year", {"period": "year"}),
        (
            "--from 2026-12-01 --to 2026-12-15",
            {"period": "custom", "starts_on": "2026-12-01", "ends_on": "2026-12-15"},
        ),
        ("--last 24h", {"period": "rolling", "last_hours": 24}),
        ("--last 7d", {"period": "rolling", "last_hours": 168}),
        ("--each user", {"period": "month", "each": "user"}),
    ],
)
def test_a_budget_is_set_for_a_time_and_for_whom(api: Api, options: str, body: dict[str, Any]) -> None:
    api.answers = [(201, EXAMPLES["budget"])]
    assert run("budget", "add", "x", "5", *options.split()).exit_code == 0
    assert api.asked == [("POST", "budgets", None, {"name": "x", "amount": "5", "filter": {}} | body)]


@pytest.mark.parametrize("options", ["--last 7w", "--last h", "--last 7d --from 2026-12-01"])
def test_last_hours_that_are_none_are_refused(api: Api, options: str) -> None:
    assert run("budget", "add", "x", "5", *options.split()).exit_code == 2
    assert api.asked == []


def test_a_budget_says_for_what_time_and_for_whom_it_is(api: Api) -> None:
    rolling = EXAMPLES["budget"] | {"period": "rolling", "last_hours": 168, "forecast": None}
    custom = {"period": "custom", "starts_on": "2026-12-01", "ends_on": "2026-12-15"}
    nothing = dict.fromkeys(("spent", "of_which_provisional", "remaining", "percent"))
    each = EXAMPLES["budget"] | {"each": "agent", "period": "day", "forecast": None} | nothing
    api.answers = [(200, {"budgets": [rolling, EXAMPLES["budget"] | custom, each]})]
    lines = run("budget", "list").output.splitlines()
    assert "Search, monthly: 5000 USD in any 7 days, team=search" in lines
    assert "Search, monthly: 5000 USD from 2026-12-01 until before 2026-12-15, team=search" in lines
    assert "Search, monthly: 5000 USD a day, for each agent, team=search" in lines
    assert any(line.startswith("  of each agent by itself, 2026-11-01") for line in lines)


def test_a_budget_is_listed_with_the_name_of_what_it_lies_within(api: Api) -> None:
    outer = EXAMPLES["budget"] | {"id": EXAMPLES["budget"]["parents"][0], "name": "All of it", "parents": []}
    api.answers = [(200, {"budgets": [EXAMPLES["budget"], outer]})]
    assert "  lies within All of it" in run("budget", "list").output.splitlines()


@pytest.mark.parametrize("early", [{}, {"p10": None, "p50": None, "p90": None, "run_rate": "0"}])
def test_a_forecast_below_what_is_spent_by_now_is_none(api: Api, early: dict[str, Any]) -> None:
    forecast = EXAMPLES["budget"]["forecast"] | early
    passed = EXAMPLES["budget"] | {
        "spent": "1570.76",
        "forecast": forecast,
    }  # a cent beyond the middle, 1570.75
    api.answers = [(200, {"budgets": [passed]})]
    output = run("budget", "list").output
    assert "  more than was expected by its end at " in output
    assert "expected by its end 1570.75" not in output and "as it goes" not in output


def test_a_hard_budget_is_set_and_says_what_is_held(api: Api) -> None:
    hard = {
        "unreserved": "reserved_only",
        "when_away": "refuse",
        "key_share": "0.5",
        "held": "7",
        "debt": "0",
    }
    api.answers = [(201, EXAMPLES["budget"] | {"hard": hard})]
    output = run("budget", "add", "x", "5", "--hard").output
    assert "  refuses what is not left: 7.00 USD are held, 0.00 are debt" in output.splitlines()
    assert [body["hard"] for *_, body in api.asked] == [{}]


def test_a_budgets_forecast_is_told_of_as_it_is_set_or_not_at_all(api: Api) -> None:
    early = {
        "p10": None,
        "p50": None,
        "p90": None,
        "armed": False,
        "why_not": "too early: 5 of 14 days of history",
    }
    answer = EXAMPLES["budget"] | {"forecast": EXAMPLES["budget"]["forecast"] | early}
    api.answers = [(201, answer), (201, answer)]
    output = run("budget", "add", "x", "5", "--forecast-threshold", "80").output
    assert "as it goes 1,592.25 USD by its end, but it is too early: 5 of 14 days of history" in output
    assert run("budget", "add", "x", "5", "--forecast-threshold", "0").exit_code == 0
    bodies = [body["forecast_thresholds_percent"] for *_, body in api.asked]
    assert bodies == [["80"], []]


def test_budgets_are_listed_and_an_amount_that_is_none_is_refused_by_the_argument(api: Api) -> None:
    api.answers = [(200, EXAMPLES["budgets"])]
    assert "(24 %)" in run("budget", "list").output
    assert json.loads(run("budget", "list", "--json").output) == EXAMPLES["budgets"]
    problem = {
        "title": "Invalid request",
        "detail": "...",
        "errors": [{"field": "amount", "reason": "is needed"}],
    }
    api.answers = [(422, problem)]
    assert run("budget", "add", "x", "all").output.strip() == "refused: AMOUNT: is needed"


def test_a_budget_is_removed_with_what_it_was_and_what_stays_of_it(api: Api) -> None:
    removed = EXAMPLES["removed_budget"]
    api.answers = [(200, removed)]
    for _ in range(2):
        result = run("budget", "remove", removed["id"], "--tenant", "acme")
        assert result.output.splitlines() == [
            "removed: Search, monthly: 5000 USD a month, team=search",
            "  out of force since 2026-11-23 18:31Z; 2 incidents of it stay",
        ]
    assert api.asked == [("DELETE", f"budgets/{removed['id']}", None, None)] * 2
    assert (api.key, api.tenant) == ("sm_admin", "acme")
    assert json.loads(run("budget", "remove", removed["id"], "--json").output) == removed
    api.answers = [(404, {"title": "Not found", "detail": "there is no budget"})]
    assert run("budget", "remove", removed["id"]).exit_code == 1


def test_who_sits_at_a_terminal_is_asked_before_a_budget_goes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = EXAMPLES["budget"]
    api.answers = [(200, {"budgets": [budget]}), (200, EXAMPLES["removed_budget"])]
    monkeypatch.setattr(_correcting, "at_a_terminal", lambda: True)
    monkeypatch.setattr("cli.budget.at_a_terminal", lambda: True)
    result = CliRunner().invoke(build(["budget"]), ["budget", "remove", budget["id"]], input="n\n")
    assert "Search, monthly: 5000 USD a month, team=search. Take it out of force?" in result.output
    assert [method for method, *_ in api.asked] == ["GET"]
    assert run("budget", "remove", budget["id"], "--yes").exit_code == 0
    assert [method for method, *_ in api.asked] == ["GET", "DELETE"]


def test_incidents_are_listed_with_why_they_were_resolved(api: Api) -> None:
    ended = {"state": "resolved", "resolution": "corrected below its threshold"}
    api.answers = [(200, {"incidents": [INCIDENT | ended], "next_cursor": "more"})]
    first, more = run("incidents", "--state", "resolved", "--limit", "1").output.splitlines()
    assert " ".join(first.split()) == (
        f"2026-11-23 10:00Z resolved {INCIDENT['id']} {INCIDENT['title']} (corrected below its threshold)"
    )
    assert more == "There are older ones: --limit."
    assert api.asked[0][2] == {"state": ["resolved"], "limit": 1}


def test_an_incident_is_shown_with_its_trail_in_the_order_of_time(api: Api) -> None:
    acknowledged = {"acknowledged_by": "key k1", "acknowledged_at": "2026-11-23T10:00:30Z", "note": "mine"}
    ended = {"state": "resolved", "resolved_at": "2026-11-23T10:02:00Z", "resolution": "corrected"}
    api.answers = [(200, INCIDENT | acknowledged | ended)]
    lines = run("incidents", INCIDENT["id"]).output.splitlines()
    assert api.asked[0][:2] == ("GET", f"incidents/{INCIDENT['id']}")
    assert lines[0] == f"resolved: {INCIDENT['title']}"
    assert "  budget: 5.00 USD (5)" in lines and "  spent in the period: 5.02 USD" in lines
    assert lines[5:10] == [
        "2026-11-23 00:00Z  began",
        "2026-11-23 10:00Z  opened",
        "2026-11-23 10:00Z  acknowledged by key k1: mine",
        "2026-11-23 10:01Z  last told",
        "2026-11-23 10:02Z  resolved: corrected",
    ]
    assert not any("to do" in line for line in lines), "nothing is left to do"
    api.answers = [(200, INCIDENT)]
    assert "to do: stop the agent" in run("incidents", INCIDENT["id"]).output
