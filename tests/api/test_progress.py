"""Up to when the book is complete: only what log ends and positions prove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.api.progress import ENDS_MAX, Progress

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def row(partition: int = 0, *, end: int, next_origin: int, at: int = 0, stopped: str = "") -> dict[str, Any]:
    read_at = NOON + timedelta(seconds=at)
    return {
        "partition": partition,
        "log_end": end,
        "next_origin": next_origin,
        "read_at": read_at,
        "stopped": stopped,
    }


def test_with_nothing_in_flight_it_is_complete_through_the_oldest_look_at_a_log() -> None:
    complete = Progress().observe([row(0, end=5, next_origin=5, at=2), row(1, end=7, next_origin=9, at=1)])
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 0)


def test_behind_a_backlog_it_is_complete_through_the_last_end_that_was_passed() -> None:
    progress = Progress()
    progress.observe([row(end=100, next_origin=40, at=1)])
    progress.observe([row(end=200, next_origin=40, at=2)])
    complete = progress.observe([row(end=300, next_origin=150, at=3)])
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 150)
    assert progress.observe([row(end=400, next_origin=200, at=4)]).complete_through == NOON + timedelta(
        seconds=2
    )


def test_a_process_that_starts_behind_a_backlog_does_not_guess() -> None:
    assert Progress().observe([row(end=100, next_origin=40)]).complete_through is None
    assert Progress().observe([]).complete_through is None
    unread = {**row(end=3, next_origin=3), "read_at": None}
    assert Progress().observe([unread]).complete_through is None


def test_one_partition_behind_holds_the_whole_answer_back() -> None:
    progress = Progress()
    progress.observe([row(0, end=5, next_origin=5, at=1), row(1, end=5, next_origin=5, at=1)])
    complete = progress.observe([row(0, end=9, next_origin=9, at=9), row(1, end=9, next_origin=5, at=9)])
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 4)


def test_a_line_that_stands_still_proves_nothing_new() -> None:
    progress = Progress()
    progress.observe([row(end=5, next_origin=5, at=1)])
    complete = progress.observe([row(end=2, next_origin=5, at=9, stopped="created anew")])
    assert complete.complete_through == NOON + timedelta(seconds=1)


def test_hours_of_backlog_are_remembered_in_bounded_memory_and_never_told_too_late() -> None:
    progress = Progress()
    for second in range(10 * ENDS_MAX):
        progress.observe([row(end=second + 1, next_origin=0, at=second)])
    assert len(progress._ends[0]) <= ENDS_MAX
    passed = 5 * ENDS_MAX
    complete = progress.observe(
        [row(end=10 * ENDS_MAX, next_origin=passed, at=10 * ENDS_MAX)]
    ).complete_through
    assert complete is not None
    # the end of second s is s + 1, so passing `passed` proves at most the second before
    assert NOON + timedelta(seconds=passed - 100) < complete <= NOON + timedelta(seconds=passed - 1)


def test_an_older_look_at_the_book_is_not_told_what_a_younger_one_proved() -> None:
    progress = Progress()
    progress.observe([row(end=5, next_origin=5, at=1)])
    assert progress.observe([row(end=9, next_origin=9, at=3)]).complete_through == NOON + timedelta(seconds=3)
    older = progress.observe([row(end=9, next_origin=7, at=3)])  # its snapshot was taken before
    assert (older.complete_through, older.in_flight) == (NOON + timedelta(seconds=1), 2)
