"""What is folded next: nobody is left behind, and in the end all read together."""

from __future__ import annotations

from services.corrector.projections.stretches import ProjectionMark, next_stretches
from tests.ledger_records import NOON


def marks(**at: dict[int, int]) -> list[ProjectionMark]:
    """Marks by projection and partition, in a book that stands at 10 everywhere."""
    return [
        ProjectionMark(
            projection=name,
            partition=partition,
            account=0,
            begun_at=NOON,
            ended_at=NOON,
            next_offset=offset,
            book_offset=10,
        )
        for name, offsets in at.items()
        for partition, offset in offsets.items()
    ]


def stretches(found: list[ProjectionMark]) -> list[tuple[int, int, int, list[str]]]:
    return [
        (each.account.partition, each.since, each.until, sorted(each.projections))
        for each in next_stretches(found)
    ]


def test_projections_at_one_place_read_together() -> None:
    assert stretches(marks(cells={0: 4, -1: 0}, runs={0: 4, -1: 0})) == [
        (-1, 0, 10, ["cells", "runs"]),
        (0, 4, 10, ["cells", "runs"]),
    ]


def test_a_new_projection_reads_alone_until_it_meets_the_others() -> None:
    assert stretches(marks(cells={0: 7}, runs={0: 0}, later={0: 9})) == [(0, 0, 7, ["runs"])]
    assert stretches(marks(cells={0: 7}, runs={0: 7}, later={0: 9})) == [(0, 7, 9, ["cells", "runs"])]


def test_who_has_come_to_the_end_reads_nothing() -> None:
    assert stretches(marks(cells={0: 10}, runs={0: 10})) == []
    assert stretches(marks(cells={0: 10}, runs={0: 8})) == [(0, 8, 10, ["runs"])]
    assert [mark.behind for mark in marks(cells={0: 10}, runs={0: 8})] == [0, 2]
