"""spendmeter unit-costs and workflows, before an api that notes what it is asked."""

from __future__ import annotations

from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api
from tests.cli.test_reading import run


def lines_of(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]


def test_what_a_request_costs_is_a_table_with_what_is_not_in_it(api: Api) -> None:
    api.answers = [(200, EXAMPLES["unit_economics"])]
    assert lines_of("unit-costs", "--range", "last_7_days", "--group", "sku", "--filter", "team=web") == [
        "2026-11-01 until 2026-11-26 (UTC)",
        "sku requests cost a request 1,000 tokens from cache cache return attempts a success currency",
        "claude-sonnet-4-5 1,200 48.60 0.0405 0.0047 80 % 20.85 (69.5 %) 1.02 USD",
        "2026-11-12: version v2 of refund came",
    ]
    assert api.asked[0][1:3] == (
        "unit-economics",
        [("range", "last_7_days"), ("group_by", "sku"), ("top", "100"), ("filter.team", "web")],
    )


def test_what_cannot_be_said_is_a_dash_and_what_has_no_price_is_said(api: Api) -> None:
    nothing = dict.fromkeys(
        "cost_per_request cost_per_1k_tokens cache_hit_rate cache_return cache_return_percent attempts_per_success".split()
    )
    more = {"unpriced_events": 7, "lower_bound": True, "billed": "6"}
    row = EXAMPLES["unit_economics"]["rows"][0] | nothing | more
    api.answers = [(200, EXAMPLES["unit_economics"] | {"rows": [row], "groups": 3, "releases": []})]
    assert lines_of("unit-costs")[2:] == [
        "claude-sonnet-4-5 1,200 at least 48.60 - - - - - USD",
        "2 more groups: a larger --top, or a --filter",
        "7 events have no price, and are in no amount",
        "6.00 USD of claude-sonnet-4-5 is what bills say: in no cost of a request",
    ]


def test_workflows_are_listed_with_their_versions(api: Api) -> None:
    api.answers = [(200, EXAMPLES["workflows"])]
    header, *rows = lines_of("workflows", "list")
    assert header == "workflow version kind runs came last run an accepted outcome"
    assert rows[0].endswith(" 0.4100 USD")
    assert len(rows) == sum(len(each["versions"]) for each in EXAMPLES["workflows"]["workflows"])


def test_versions_stand_side_by_side_with_what_lacks_and_what_is_saved(api: Api) -> None:
    api.answers = [(200, EXAMPLES["workflow_comparison"])]
    found = lines_of("workflows", "compare", "refund", "--version", "v2", "--against", "by hand")
    assert found[0] == "2026-09-01 until 2026-10-15 (UTC), runs before 2026-10-01"
    assert "by hand, baseline: as entered" in found
    assert any(line.startswith("v2, reimagined, came 2026-09-03: ") for line in found)
    assert "run r-20261007-5531 of support cost 9.42 USD" in found
    assert any(line.startswith("v2 against by hand: ") for line in found)
    assert api.asked[0][1:3] == (
        "workflows/comparison",
        [("workflow", "refund"), ("against", "by hand"), ("version", "v2")],
    )
