"""spendmeter allocation and statement: what is asked of the API, and what is printed of its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import allocation, statement
from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api

POOLS = """\
[[pools]]
name = "vector database"
filter = { provider = "pinecone", team = "" }
rule = "fixed"
weights = { search = 60, ads = 25 }
"""


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(allocation.app, [*words, "--tenant", "acme"])
    assert done.exit_code == code, done.output
    return done.output


def state(*words: str) -> str:
    app = typer.Typer()
    app.command()(statement.command)
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "pools.toml"
    path.write_text(POOLS)
    return str(path)


def test_who_bears_what_is_a_table_with_what_nobody_bears(api: Api) -> None:
    api.answers = [(200, EXAMPLES["allocations"])]
    printed = run("show", "--range", "last_month")
    lines = [line.split() for line in printed.splitlines()]
    assert ["search", "300.00", "84.00", "384.00", "0", "USD"] in lines
    assert "(unattributed: names nobody)" in printed
    assert "72 % names somebody, 96 % is borne by somebody, 140.00 names nobody" in printed
    assert "pool vector database: took 120.00 USD, proportional by requests of provider=openai\n" in printed
    assert api.asked[0][:3] == (
        "GET", "allocations", {"range": "last_month", "dimension": "team", "shares": "false"},
    )  # fmt: skip


def test_a_pool_that_others_fed_says_so(api: Api) -> None:
    pooled = EXAMPLES["allocations"]["pools"][0] | {
        "fed": "16.5",
        "residual": "3.52",
        "because": "the rule leaves it",
    }
    api.answers = [(200, EXAMPLES["allocations"] | {"pools": [pooled]})]
    assert "took 120.00 USD and was fed 16.50, proportional" in run("show")
    assert "; 3.52 left: the rule leaves it" in run("show")


def test_a_percentage_that_would_not_be_true_is_not_printed(api: Api) -> None:
    whole = EXAMPLES["allocations"]["totals"][0] | {"attributed_percent": None, "borne_percent": None}
    api.answers = [(200, EXAMPLES["allocations"] | {"totals": [whole]})]
    assert "no percentage would be true" in run("show")


def test_a_plan_is_shown_with_who_set_it_and_why(api: Api) -> None:
    api.answers = [(200, EXAMPLES["allocation_plan"])]
    assert run("plan").splitlines() == [
        "from 2026-11-01, revision 4, 2026-10-28T09:00, key k7f3a00000000: agreed with the teams",
        "  vector database (provider=pinecone, team=(none)): proportional by requests of provider=openai",
    ]


def test_a_file_sets_a_version(api: Api, file: str) -> None:
    answer: Any = EXAMPLES["allocation_plan"]
    pool = answer["versions"][0]["pools"][0] | {"rule": "fixed", "driver": None, "weights": {"search": 60}}
    api.answers = [(200, answer | {"versions": [answer["versions"][0] | {"pools": [pool]}]})]
    printed = run("set", file, "--first-day", "2026-12-01", "--reason", "agreed")
    assert "fixed search 60 of 100" in printed
    method, path, _, body = api.asked[0]
    assert (method, path, body["first_day"], body["reason"]) == (
        "PUT", "allocation-plans/team", "2026-12-01", "agreed",
    )  # fmt: skip
    assert body["pools"][0]["weights"] == {"search": 60, "ads": 25}


def test_a_file_is_tried_on_a_month(api: Api, file: str) -> None:
    api.answers = [(200, EXAMPLES["allocation_trial"])]
    printed = run("try", file, "--month", "2026-10", "--dimension", "workflow")
    assert ["search", "300.00", "384.00", "84.00", "USD"] in [line.split() for line in printed.splitlines()]
    assert api.asked[0][1] == "allocation-plans/workflow/dry-run"
    assert api.asked[0][3]["month"] == "2026-10"


def test_a_name_that_no_event_ever_had_is_said(api: Api, file: str) -> None:
    api.answers = [(200, EXAMPLES["allocation_trial"] | {"unseen": ["serach"]})]
    assert "no event ever named serach: a typing error, or somebody new" in run("try", file)


def test_a_refusal_names_the_field(api: Api, file: str) -> None:
    errors = [{"field": "first_day", "reason": "must be a day"}]
    api.answers = [(422, {"title": "Invalid request", "detail": "x", "errors": errors})]
    assert "--first-day: must be a day" in run("set", file, "--first-day", "x", "--reason", "y", code=1)


def test_a_statement_says_how_each_line_came_about(api: Api) -> None:
    api.answers = [(200, EXAMPLES["statement"])]
    printed = state("search", "--month", "2026-11")
    assert "7/10 of vector database, revision 4" in printed
    assert (
        "in all 384.00 USD: 300.00 direct, 84.00 shared; list 434.00, provisional 0.00, of months closed before 0.00"
        in " ".join(printed.split())
    )
    assert (
        "not closed: it may still change; held against no invoice: spendmeter invoice"
        in printed.splitlines()[-1]
    )
    assert api.asked[0][:3] == ("GET", "statements/search", {"dimension": "team", "month": "2026-11"})


def test_a_statement_is_too_small_where_events_have_no_amount(api: Api) -> None:
    line = EXAMPLES["statement"]["lines"][0] | {"unpriced_events": 3}
    api.answers = [(200, EXAMPLES["statement"] | {"lines": [line], "is_over": False})]
    printed = state("a/b")
    assert "3 events behind these lines have no amount yet" in printed
    assert "2026-11, not over" in printed
    assert api.asked[0][1] == "statements/a%2Fb"
