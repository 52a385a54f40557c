"""The folds of `runs` and `run_outcomes`, with amounts worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import astuple

from services.corrector.projections.runs import OutcomeFold, RunFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.events import Amount, Labels, Outcome, Performance, encode_event
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
    identity: bytes = b"",
    **data: Any,
) -> BookEntry:
    labels = Labels(run=run, workflow="refund", workflow_version=version)
    event = encode_event(usage_event(time=at, labels=labels, **data)).decode()
    return read_entry(
        seq, at, "acme", b"s" * 16, status, "USD", amount, amount, amount, event, "[]", identity
    )


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
    model = ("", "openai", "gpt-4o", "")
    sums = [Decimal("1.75")] * 3
    assert [astuple(row)[:-3] for row in rows] == [
        ("acme", "run-81", "refund", "v2", "model", "USD", *model, NOON, later, 3, 1, *sums, Decimal("0.25")),
        ("acme", "run-81", "refund", "v2", "tool", "USD", *model, NOON, NOON, 1, 0, 2, 2, 2, 0),
        ("acme", "run-81", "refund", "v3", "model", "USD", *model, NOON, NOON, 1, 0, 4, 4, 4, 0),
    ]


def test_a_run_is_told_apart_by_model_agent_and_how_calls_ended_with_the_time_that_they_took() -> None:
    """830 + 170 ms of two calls of three; the one that was retracted was the longest, and is not unseen."""
    rows = folded(
        RunFold(),
        [
            entry(performance=Performance(latency_ms=830, status="ok")),
            entry(performance=Performance(latency_ms=170, status="ok")),
            entry(performance=Performance(latency_ms=5000, status="ok")),
            entry("-1", performance=Performance(latency_ms=5000, status="ok"), seq=1),
            entry(performance=Performance(status="ok")),
            entry(performance=Performance(latency_ms=9, status="error")),
            entry(cost_class="tool"),
        ],
    )
    assert [(row.provider, row.sku, row.call_status, *astuple(row)[-3:], row.events) for row in rows] == [
        ("openai", "gpt-4o", "ok", 2, 1000, 5000, 3),
        ("openai", "gpt-4o", "error", 1, 9, 9, 1),
        ("openai", "gpt-4o", "", 0, 0, 0, 1),
    ]


def test_a_retraction_leaves_a_run_of_no_events_with_its_times() -> None:
    (row,) = folded(
        RunFold(), [entry("1.5", status="provisional"), entry("-1.5", status="provisional", seq=1)]
    )
    assert astuple(row)[10:] == (NOON, NOON, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_what_an_event_achieved_is_counted_and_valued_by_event_name_and_currency() -> None:
    """Another event's is another row; 3 escalations that were taken back leave a row of nothing."""
    value = Amount(amount="999999999999999999.123456789012", currency="USD")
    rows = folded(
        OutcomeFold(),
        [
            entry(outcome=Outcome(name="refund_resolved", value=value), identity=b"1" * 16),
            entry(outcome=Outcome(name="refund_resolved", count=2, value=value), identity=b"2" * 16),
            entry(outcome=Outcome(name="escalated", count=3), identity=b"2" * 16),
            entry("-1", outcome=Outcome(name="escalated", count=3), seq=1, identity=b"2" * 16),
            entry(),
            entry(run="", outcome=Outcome(name="escalated")),
        ],
    )
    assert [(row.identity, *astuple(row)[5:]) for row in rows] == [
        ("\\x" + "31" * 16, "refund", "v2", "refund_resolved", "USD", 1, 1, Decimal(value.amount)),
        ("\\x" + "32" * 16, "refund", "v2", "refund_resolved", "USD", 1, 2, Decimal(value.amount)),
        ("\\x" + "32" * 16, "refund", "v2", "escalated", "", 0, 0, 0),
    ]
    assert len({row.outcome_id for row in rows}) == 2


def test_an_event_that_cannot_be_read_is_part_of_no_run() -> None:
    assert (
        folded(
            RunFold(), [read_entry(0, NOON, "acme", b"", "priced", "USD", "1", "1", "1", '{"data":7}', "[]")]
        )
        == []
    )
