"""The fold of `quality_hours`: which calls are counted, in which hour, bucket and mark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.corrector.projections.quality_hours import QualityFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.events import Performance, encode_event
from tests.corrector.book_by_hand import folded
from tests.ledger_records import usage_event

AT = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
HOUR = AT.replace(minute=0, second=0)


def entry(
    seq: int = 0, at: datetime = AT, latency_ms: int | None = 800, status: str = "ok", **data: Any
) -> BookEntry:
    performance = Performance(latency_ms=latency_ms, status=status)
    event = encode_event(usage_event(time=at, performance=performance, **data)).decode()
    return read_entry(seq, at, "acme", b"s" * 16, "priced", "USD", "1", "1", "1", event, "[]")


def rows(*entries: BookEntry) -> list[tuple[Any, ...]]:
    found = folded(QualityFold(), entries)
    return sorted((row.hour, row.call_status, row.over_context, row.latency, row.calls) for row in found)


def test_calls_of_an_hour_that_ended_alike_and_took_as_long_are_one_row() -> None:
    """800 ms is 1100100000 in binary: 50 of its first six digits, and 4 digits more, so 4 x 32 + 50 = 178. That bucket
    goes from 800 to 815 ms."""
    assert rows(
        entry(), entry(latency_ms=815), entry(latency_ms=816), entry(at=AT + timedelta(seconds=1))
    ) == [
        (HOUR, "ok", 0, 178, 2),
        (HOUR, "ok", 0, 179, 1),
        (HOUR + timedelta(hours=1), "ok", 0, 178, 1),
    ]


def test_what_a_call_does_not_say_is_told_apart_from_what_it_says() -> None:
    assert rows(entry(latency_ms=None), entry(status=""), entry(status="error"), entry(latency_ms=0)) == [
        (HOUR, "", 0, 178, 1),
        (HOUR, "error", 0, 178, 1),
        (HOUR, "ok", 0, -1, 1),
        (HOUR, "ok", 0, 0, 1),
    ]


def test_a_retraction_takes_its_call_away_and_an_amend_moves_it() -> None:
    assert rows(entry(), entry(seq=1)) == [(HOUR, "ok", 0, 178, 0)]
    assert rows(entry(), entry(seq=1), entry(seq=2, status="error")) == [
        (HOUR, "error", 0, 178, 1),
        (HOUR, "ok", 0, 178, 0),
    ]


def test_the_context_is_all_that_went_in_cached_or_not() -> None:
    usage = {"input_tokens": 1, "cache_read_tokens": 199_999, "output_tokens": 500_000}
    longer = usage | {"cache_write_5m_tokens": 1}
    assert [row[2] for row in rows(entry(usage=usage), entry(usage=longer))] == [128_000, 200_000]


def test_what_people_and_machines_cost_by_the_hour_and_what_bills_say_are_no_calls() -> None:
    assert rows(
        *(entry(cost_class=each) for each in ("labour", "hardware", "licence")),
        *(entry(cadence=each) for each in ("accrual", "bill")),
    ) == []  # fmt: skip
    assert len(rows(entry(cost_class="vector"), entry(cadence="live"))) == 1


def test_an_event_that_cannot_be_read_is_no_call() -> None:
    unreadable = read_entry(0, AT, "acme", b"s" * 16, "priced", "USD", "1", "1", "1", "{", "[]")
    assert rows(unreadable) == []


def test_what_stood_in_place_of_the_cadence_before_it_was_a_word_keeps_nothing_from_going_on() -> None:
    said = {
        "usage": {},
        "provider": "openai",
        "sku": "m",
        "cadence": ["bill"],
        "performance": {"status": "ok"},
    }
    event = msgspec.json.encode({"data": said}).decode()
    odd = read_entry(0, AT, "acme", b"s" * 16, "priced", "USD", "1", "1", "1", event, "[]")
    assert rows(odd) == [(HOUR, "ok", 0, -1, 1)]
