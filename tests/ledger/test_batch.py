"""What of the records in hand is new and contiguous: decided without a database."""

from __future__ import annotations

import pytest

from services.ledger.batch import Batch, BookPosition, LossFound, collect
from spendmeter.contracts.rated import Origin, PassedHoles, RejectedUsage
from tests.ledger_records import RATED_TOPIC, TOPIC, on_topic, rated, usage_event

START = BookPosition(partition=0, rated_topic=RATED_TOPIC, position=0, origin_topic=TOPIC, next_origin=0)


def at(next_origin: int, position: int = 0) -> BookPosition:
    return BookPosition(
        partition=0, rated_topic=RATED_TOPIC, position=position, origin_topic=TOPIC, next_origin=next_origin
    )


def rejection(offset: int, prev: int | None = None) -> RejectedUsage:
    return RejectedUsage(
        origin=Origin(topic=TOPIC, partition=0, offset=offset),
        prev=offset - 1 if prev is None else prev,
        reason="is not JSON",
        size=3,
        sha256="00" * 32,
    )


def passed(batch: Batch) -> int:
    """Offsets of usage.events that the batch accounts for."""
    return len(batch.usage) + len(batch.copies) + len(batch.rejected) + batch.holes


def test_records_in_order_are_all_taken() -> None:
    batch = collect(START, on_topic(*(rated(usage_event(f"e{n}"), n) for n in range(3))))
    assert (len(batch.usage), batch.next_origin, batch.position) == (3, 3, 3)


def test_a_redelivered_record_is_skipped_and_counted_nowhere() -> None:
    batch = collect(at(2), on_topic(*(rated(usage_event(f"e{n}"), n) for n in range(3))))
    assert (list(batch.usage.values())[0].origin.offset, batch.redelivered, passed(batch)) == (2, 2, 1)


def test_offsets_between_prev_and_origin_are_holes() -> None:
    batch = collect(START, on_topic(rated(usage_event("a"), 0), rated(usage_event("b"), 5, prev=0)))
    assert (batch.holes, batch.next_origin, passed(batch)) == (4, 6, 6)


def test_what_lies_behind_a_hole_waits_until_it_comes_again() -> None:
    first, lost, third = (rated(usage_event(f"e{n}"), n) for n in range(3))
    batch = collect(START, on_topic(first, third))
    assert (batch.ahead, batch.next_origin) == (1, 1)
    again = collect(at(1, 2), on_topic(lost, third, start=2))
    assert (again.ahead, again.next_origin, len(again.usage)) == (0, 3, 2)


def test_later_copies_in_a_batch_are_set_aside_in_order() -> None:
    event = usage_event("same")
    batch = collect(START, on_topic(rated(event, 0), rated(event, 1), rated(event, 2)))
    assert [record.origin.offset for record in batch.copies] == [1, 2]
    assert [record.origin.offset for record in batch.usage.values()] == [0]


def test_a_rejection_takes_its_offset() -> None:
    batch = collect(START, on_topic(rejection(0), rated(usage_event("a"), 1)))
    assert (len(batch.rejected), len(batch.usage), batch.next_origin) == (1, 1, 2)


def test_holes_at_the_end_of_the_log_are_passed_when_rating_says_so() -> None:
    record = PassedHoles(origin=Origin(topic=TOPIC, partition=0, offset=4), prev=0)
    batch = collect(at(1), on_topic(record))
    assert (batch.holes, batch.next_origin) == (3, 4)


@pytest.mark.parametrize(
    "value", [b"", b"\xff\x00\xfe", b"{}", b'{"type":"spendmeter.rated.v1"}', b"[" * 10_000]
)
def test_rubbish_on_the_topic_is_a_stray_and_the_next_record_proceeds(value: bytes) -> None:
    batch = collect(START, [(0, value), *on_topic(rated(usage_event("a"), 0), start=1)])
    assert (len(batch.strays), len(batch.usage), batch.position, batch.next_origin) == (1, 1, 2, 1)


def test_a_tombstone_is_a_stray() -> None:
    batch = collect(START, [(0, None)])
    assert (len(batch.strays), batch.position) == (1, 1)


def test_an_answer_to_another_partition_is_a_stray() -> None:
    batch = collect(START, on_topic(rated(usage_event("a"), 0, partition=3)))
    assert len(batch.strays) == 1
    assert batch.next_origin == 0


def test_a_topic_created_anew_is_a_loss_that_names_the_range() -> None:
    with pytest.raises(LossFound, match="everything from offset 7 on"):
        collect(at(7), on_topic(rated(usage_event("a"), 0, topic="f" * 32)))
