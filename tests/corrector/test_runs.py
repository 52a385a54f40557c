"""The folds of `runs` and `run_outcomes`, with amounts worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import astuple

from services.corrector.projections.entry import BookEntry, read_entry
from services.corrector.projections.runs import OutcomeFold, RunFold
from spendmeter.contracts.events import Amount, Labels, Outcome, encode_event
from tests.corrector.book_by_hand import folded
from tests.ledger_records import NOON, usage_event


def entry(
    amount: str = "1",
    *,
    run: str = "run-81",
    at: datetime = NOON,
    status: str = "priced",
    seq: int = 0,
    version: str = "v2",
    **data: Any,
) -> BookEntry:
    labels = Labels(run=run, workflow="refund", workflow_version=version)
    event = encode_event(usage_event(time=at, labels=labels, **data)).decode()
    return read_entry(seq, at, "acme", b"s" * 16, status, "USD", amount, amount, amount, event, "[]")


def test_a_run_is_added_up_by_workflow_version_and_class() -> None:
    later = NOON + timedelta(minutes=3)
    rows = folded(
        RunFold(),
        [
            entry("1.5", at=later),
            entry("0.25", status="provisional"),
            entry("0", status="unpriced"),
            entry("2", cost_class="tool"),
            entry("4", version="v3"),
            entry("8", run=""),
        ],
    )
    assert [astuple(row) for row in rows] == [
        (
            "acme",
            "run-81",
            "refund",
            "v2",
            "model",
            "USD",
            NOON,
            later,
            3,
            1,
            *[Decimal("1.75")] * 3,
            Decimal("0.25"),
        ),
        ("acme", "run-81", "refund", "v2", "tool", "USD", NOON, NOON, 1, 0, 2, 2, 2, 0),
        ("acme", "run-81", "refund", "v3", "model", "USD", NOON, NOON, 1, 0, 4, 4, 4, 0),
    ]


def test_a_retraction_leaves_a_run_of_no_events_with_its_times() -> None:
    (row,) = folded(
        RunFold(), [entry("1.5", status="provisional"), entry("-1.5", status="provisional", seq=1)]
    )
    assert astuple(row)[6:] == (NOON, NOON, 0, 0, 0, 0, 0, 0)


def test_outcomes_are_counted_and_valued_by_name_and_currency() -> None:
    value = Amount(amount="999999999999999999.123456789012", currency="USD")
    rows = folded(
        OutcomeFold(),
        [
            entry(outcome=Outcome(name="refund_resolved", value=value)),
            entry(outcome=Outcome(name="refund_resolved", count=2, value=value)),
            entry(outcome=Outcome(name="escalated", count=3)),
            entry("-1", outcome=Outcome(name="escalated", count=3), seq=1),
            entry(),
            entry(run="", outcome=Outcome(name="escalated")),
        ],
    )
    sum_of_values = Decimal("1999999999999999998.246913578024")
    assert [astuple(row)[3:] for row in rows] == [
        ("refund", "v2", "refund_resolved", "USD", 2, 3, sum_of_values),
        ("refund", "v2", "escalated", "", 0, 0, 0),
    ]
    assert len({row.outcome_id for row in rows}) == 2


def test_an_event_that_cannot_be_read_is_part_of_no_run() -> None:
    assert (
        folded(
            RunFold(), [read_entry(0, NOON, "acme", b"", "priced", "USD", "1", "1", "1", '{"data":7}', "[]")]
        )
        == []
    )
