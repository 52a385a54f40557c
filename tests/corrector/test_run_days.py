"""What runs and workflows cost in a day, and how many calls that took."""

from __future__ import annotations

from typing import Any

import pytest

from services.corrector.projections.run_days import RunDay, RunDayFold
from tests.corrector.test_quality_hours import entry


def folded(**said: Any) -> RunDay:
    fold = RunDayFold()
    fold.add([entry(labels={"workflow": "refund"}, **said)])
    [row] = fold.rows()
    return row


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        ({}, 1),
        ({"cost_class": "vector"}, 1),
        ({"cost_class": "labour"}, 0),
        ({"cadence": "bill"}, 0),
        ({"cadence": "accrual", "cost_class": "database"}, 0),
        ({"cadence": ["bill"]}, 1),
    ],
)
def test_what_a_bill_says_of_a_workflow_is_cost_and_no_call(said: dict[str, Any], calls: int) -> None:
    """A month of a database is one row of a bill, and no attempt at anything."""
    row = folded(**said)
    assert (row.events, row.calls) == (1, calls)
