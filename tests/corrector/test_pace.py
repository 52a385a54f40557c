"""When what is booked is folded: soon, or with much else; never later than it says."""

from __future__ import annotations

import random

from services.corrector.projections.pace import MUCH, TO_BOOK, WAIT_S_MAX, Pace

FULL = 20 * MUCH


def test_a_little_is_folded_at_once_and_nothing_is_not() -> None:
    pace = Pace(full=FULL)
    assert [pace.is_due(behind, now) for now, behind in enumerate([0, 1, 0, MUCH - 1, 0])] == [
        False, True, False, True, False,
    ]  # fmt: skip


def test_much_waits_until_the_stream_ends_or_a_batch_is_full() -> None:
    pace = Pace(full=FULL)
    looks = [MUCH, 2 * MUCH, 2 * MUCH + 1, MUCH, FULL]
    assert [pace.is_due(behind, now) for now, behind in enumerate(looks)] == [False, False, True, False, True]


def test_a_batch_that_does_not_fill_is_waited_for_ten_seconds() -> None:
    pace = Pace(full=100 * MUCH)
    looks = [(float(second), (second + 1) * MUCH) for second in range(11)]
    assert [pace.is_due(behind, now) for now, behind in looks] == [*[False] * 10, True]
    assert not pace.is_due(MUCH, 11.0)  # of what came after, the wait begins anew


def test_while_events_wait_to_be_booked_it_yields_for_a_minute() -> None:
    pace = Pace(full=FULL)
    told = [pace.is_due(2 * FULL, float(second), to_book=TO_BOOK) for second in range(61)]
    assert told == [*[False] * 60, True]
    assert not pace.is_due(FULL, 61.0, to_book=TO_BOOK)
    assert pace.is_due(FULL, 62.0, to_book=TO_BOOK - 1)


def test_whatever_comes_nothing_waits_longer_than_the_bound_and_a_look() -> None:
    chance = random.Random(3)
    pace, behind = Pace(full=FULL), 0
    waits_since: int | None = None
    for second in range(10_000):
        behind += chance.choice([0, 0, 1, MUCH - 1, MUCH, 3 * MUCH, 7 * MUCH])
        if behind and waits_since is None:
            waits_since = second
        if pace.is_due(behind, second):
            behind, waits_since = 0, None
        assert behind < FULL
        assert waits_since is None or second - waits_since < WAIT_S_MAX
