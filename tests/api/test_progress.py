"""Up to when the book is complete: only what log ends and positions prove."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.api.accounting.progress import ENDS_MAX, BookProgress
from services.api.http.models import Complete

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


def observe(progress: BookProgress, rows: Sequence[dict[str, Any]], at: int | None = None) -> Complete:
    """As of second `at`; when the youngest end was read unless said otherwise."""
    youngest = max((row["read_at"] for row in rows if row["read_at"]), default=NOON)
    return progress.observe(rows, youngest if at is None else NOON + timedelta(seconds=at))


def test_with_nothing_in_flight_it_is_complete_through_the_oldest_look_at_a_log() -> None:
    complete = observe(
        BookProgress(), [row(0, end=5, next_origin=5, at=2), row(1, end=7, next_origin=9, at=1)]
    )
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 0)


def test_behind_a_backlog_it_is_complete_through_the_last_end_that_was_passed() -> None:
    progress = BookProgress()
    observe(progress, [row(end=100, next_origin=40, at=1)])
    observe(progress, [row(end=200, next_origin=40, at=2)])
    complete = observe(progress, [row(end=300, next_origin=150, at=3)])
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 150)
    assert observe(progress, [row(end=400, next_origin=200, at=4)]).complete_through == NOON + timedelta(
        seconds=2
    )


def test_a_process_that_starts_behind_a_backlog_does_not_guess() -> None:
    assert observe(BookProgress(), [row(end=100, next_origin=40)]).complete_through is None
    assert observe(BookProgress(), []).complete_through is None
    unread = {**row(end=3, next_origin=3), "read_at": None}
    assert observe(BookProgress(), [unread]).complete_through is None


def test_one_partition_behind_holds_the_whole_answer_back() -> None:
    progress = BookProgress()
    observe(progress, [row(0, end=5, next_origin=5, at=1), row(1, end=5, next_origin=5, at=1)])
    complete = observe(progress, [row(0, end=9, next_origin=9, at=9), row(1, end=9, next_origin=5, at=9)])
    assert (complete.complete_through, complete.in_flight) == (NOON + timedelta(seconds=1), 4)


def test_a_line_that_stands_still_proves_nothing_new() -> None:
    progress = BookProgress()
    observe(progress, [row(end=5, next_origin=5, at=1)])
    complete = observe(progress, [row(end=2, next_origin=5, at=9, stopped="created anew")])
    assert complete.complete_through == NOON + timedelta(seconds=1)


def test_hours_of_backlog_are_remembered_in_bounded_memory_and_never_told_too_late() -> None:
    progress = BookProgress()
    for second in range(10 * ENDS_MAX):
        observe(progress, [row(end=second + 1, next_origin=0, at=second)])
    assert len(progress._ends[0]) <= ENDS_MAX
    passed = 5 * ENDS_MAX
    complete = observe(
        progress, [row(end=10 * ENDS_MAX, next_origin=passed, at=10 * ENDS_MAX)]
    ).complete_through
    assert complete is not None
    # the end of second s is s + 1, so passing `passed` proves at most the second before
    assert NOON + timedelta(seconds=passed - 100) < complete <= NOON + timedelta(seconds=passed - 1)


def test_an_older_look_at_the_book_is_not_told_what_a_younger_one_proved() -> None:
    progress = BookProgress()
    observe(progress, [row(end=5, next_origin=5, at=1)])
    assert observe(progress, [row(end=9, next_origin=9, at=3)]).complete_through == NOON + timedelta(
        seconds=3
    )
    older = observe(progress, [row(end=9, next_origin=7, at=3)])  # its snapshot was taken before
    assert (older.complete_through, older.in_flight) == (NOON + timedelta(seconds=1), 2)


def test_a_figure_older_than_three_seconds_is_unknown_and_says_its_age() -> None:
    progress = BookProgress()
    young = observe(progress, [row(0, end=9, next_origin=5, at=2), row(1, end=9, next_origin=9, at=4)], at=5)
    assert (young.in_flight, young.in_flight_age_s) == (4, 3.0)
    old = observe(progress, [row(0, end=9, next_origin=5, at=2), row(1, end=9, next_origin=9, at=4)], at=14)
    assert (old.in_flight, old.in_flight_age_s) == (None, 12.0)
    assert old.complete_through is None  # the first partition was never seen to be passed
    never = observe(progress, [row(0, end=9, next_origin=9) | {"read_at": None}])
    assert (never.in_flight, never.in_flight_age_s) == (None, None)
    nothing = observe(progress, [])
    assert (nothing.in_flight, nothing.in_flight_age_s) == (None, None)


def test_with_a_ledger_that_stands_still_what_waits_for_it_is_counted_all_the_same() -> None:
    progress = BookProgress()
    frozen = [row(0, end=100, next_origin=100, at=0), row(1, end=50, next_origin=50, at=0)]
    assert observe(progress, frozen).in_flight == 0
    progress.record_log_ends({0: 8_000, 1: 7_590}, NOON + timedelta(seconds=60))
    complete = observe(progress, frozen, at=61)
    assert (complete.in_flight, complete.in_flight_age_s) == (15_440, 1.0)
    assert complete.complete_through == NOON  # nothing that was measured since has been passed


def test_a_partition_of_which_nothing_was_ever_booked_is_in_flight() -> None:
    progress = BookProgress()
    progress.record_log_ends({0: 7, 1: 0}, NOON)
    complete = observe(progress, [], at=1)
    assert (complete.in_flight, complete.complete_through) == (7, None)
    progress.record_log_ends({0: 0, 1: 0}, NOON)
    assert observe(progress, [], at=1).complete_through == NOON


def test_a_log_that_has_become_shorter_proves_nothing() -> None:
    progress = BookProgress()
    observe(progress, [row(end=100, next_origin=90, at=0)])
    progress.record_log_ends(
        {0: 10}, NOON + timedelta(seconds=5)
    )  # created anew: the offsets are another log's
    complete = observe(progress, [row(end=100, next_origin=90, at=0)], at=6)
    assert (complete.in_flight, complete.complete_through) == (None, None)


def test_the_younger_of_two_measurements_counts() -> None:
    progress = BookProgress()
    progress.record_log_ends({0: 10}, NOON)
    assert observe(progress, [row(end=12, next_origin=9, at=2)]).in_flight == 3


def behind(offsets: int, partition: int = 0, *, is_open: bool = True) -> dict[str, Any]:
    return {"partition": partition, "is_open": is_open, "behind": offsets}


def test_what_follows_the_book_is_complete_as_the_book_was_when_it_had_come_no_farther() -> None:
    progress = BookProgress()
    at_1, at_9 = NOON + timedelta(seconds=1), NOON + timedelta(seconds=9)
    rows = [row(end=100, next_origin=100, at=1)]
    assert progress.folded(rows, [], at_1).complete_through == at_1
    rows = [row(end=140, next_origin=140, at=9)]
    lagging = progress.folded(rows, [behind(30)], at_9)
    assert (lagging.complete_through, lagging.in_flight) == (at_1, 0)
    assert observe(progress, rows).complete_through == at_9
    assert progress.folded(rows, [behind(140)], at_9).complete_through is None


def test_of_corrections_and_of_accounts_that_are_closed_nobody_knows_when_they_were_accepted() -> None:
    rows = [row(end=100, next_origin=100, at=1)]
    for lacks in (behind(1, -1), behind(1, is_open=False)):
        assert BookProgress().folded(rows, [lacks], NOON).complete_through is None
