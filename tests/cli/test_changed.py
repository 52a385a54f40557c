"""spendmeter changed, before an api that notes what it is asked."""

from __future__ import annotations

from services.api.http.openapi import EXAMPLES
from tests.cli.conftest import Api
from tests.cli.test_reading import run


def test_what_changed_is_a_table_of_its_parts_and_one_of_contributors(api: Api) -> None:
    api.answers = [(200, EXAMPLES["changes"])]
    result = run("changed", "--range", "last_week", "--month", "--by", "team", "--filter", "sku=a")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]
    assert lines == [
        "2026-11-16 00:00+01:00 to 2026-11-23 00:00+01:00: 7 days, Europe/Berlin",
        "against 2026-11-09 00:00+01:00 to 2026-11-16 00:00+01:00: 7 days",
        "35.70 (10 %) USD: 357.00 was, now 392.70",
        "part of the change",
        "volume 35.70 calls (hours, seats, gigabytes: themselves)",
        "team before now change in % currency",
        "payments 357.00 392.70 35.70 (10 %) USD",
    ]
    assert api.asked[0][1:3] == (
        "spend/changes",
        [
            ("range", "last_week"),
            ("compare", "month"),
            ("group_by", "team"),
            ("top", "20"),
            ("filter.sku", "a"),
        ],
    )


def test_what_has_no_price_is_said_beside_the_amounts(api: Api) -> None:
    row = EXAMPLES["changes"]["currencies"][0] | {"unpriced_events_before": 1200}
    api.answers = [(200, EXAMPLES["changes"] | {"currencies": [row], "contributors": []})]
    assert "1,200 events before have no price, and are in no amount" in run("changed").output
