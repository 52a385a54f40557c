"""spendmeter true-ups, before an api that notes what it is asked."""

from __future__ import annotations

from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api
from tests.cli.test_reading import run


def test_periods_are_shown_with_what_is_used_and_unused_and_the_arithmetic(api: Api) -> None:
    api.answers = [(200, EXAMPLES["true_ups"])]
    result = run("true-ups", "--since", "2026-11-01", "--explain")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert (
        "2026-11-01 2026-11-25, running openai commitment 10.00 8.00 -2.00 8.00 12.00 USD pqbf25alugk3o"
        in text
    )
    assert "8 due - 10 booked = -2 USD" in text
    assert "booked spendmeter/true-ups pqbf25alugk3o/2026-11-01/0: -2" in text
    assert api.asked[0][1:3] == ("true-ups", {"from": "2026-11-01", "limit": 50})


def test_where_no_term_counts_it_is_said(api: Api) -> None:
    api.answers = [(200, {"periods": [], "next_cursor": None})]
    assert "docs/price-files.md" in run("true-ups").output
