"""What was read of closed rollups is kept within bounds, fairly, and for one generation. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.api.spend.closed import (
    GROUPS_MAX,
    TENANT_GROUPS_MAX,
    WIDE_FOR,
    WIDE_MAX,
    ClosedSums,
    GroupSum,
    PieceSums,
)
from spendmeter.book.cover import Piece
from spendmeter.book.reading import Generations

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BY_TEAM = ("team",), ()


def piece(number: int) -> Piece:
    return Piece("hour", NOON + timedelta(hours=number), NOON + timedelta(hours=number + 1))


def some(groups: int) -> PieceSums:
    return {
        ("USD", (str(n),)): GroupSum(NOON, {"events": n}, {"input_tokens": Decimal(n)}) for n in range(groups)
    }


def test_it_is_told_again_in_its_generation_alone() -> None:
    closed = ClosedSums()
    closed.put("acme", BY_TEAM, piece(0), 7, some(3))
    assert closed.get("acme", BY_TEAM, piece(0), 7) == some(3)
    for tenant, grouping, generation in (("acme", BY_TEAM, 8), ("acme", BY_TEAM, 6), ("globex", BY_TEAM, 7)):
        assert closed.get(tenant, grouping, piece(0), generation) is None
    assert closed.get("acme", ((), ()), piece(0), 7) is None
    assert closed.get("acme", BY_TEAM, piece(1), 7) is None


def test_what_a_tenant_asked_longest_ago_goes_for_what_it_asks_now() -> None:
    closed = ClosedSums()
    third = TENANT_GROUPS_MAX // 3
    for number in range(3):
        closed.put("acme", BY_TEAM, piece(number), 1, some(third - 1))
    assert closed.get("acme", BY_TEAM, piece(0), 1)
    closed.put("acme", BY_TEAM, piece(3), 1, some(third - 1))
    kept = [number for number in range(4) if closed.get("acme", BY_TEAM, piece(number), 1)]
    assert kept == [0, 2, 3]


def test_who_has_most_gives_way_and_nobody_has_more_than_a_share() -> None:
    closed = ClosedSums()
    closed.put("small", BY_TEAM, piece(0), 1, some(10))
    for tenant in range(20):
        for number in range(4):
            closed.put(f"large{tenant}", BY_TEAM, piece(number), 1, some(TENANT_GROUPS_MAX // 4 - 1))
            assert closed.size <= GROUPS_MAX
    assert closed.get("small", BY_TEAM, piece(0), 1) == some(10)
    closed.put("acme", BY_TEAM, piece(0), 1, some(TENANT_GROUPS_MAX))
    assert closed.get("acme", BY_TEAM, piece(0), 1) is None


def test_kinds_of_questions_with_too_many_groups_are_remembered_within_a_bound() -> None:
    closed = ClosedSums()
    for buckets in range(WIDE_MAX + 1):
        closed.remember_wide("acme", BY_TEAM, buckets, NOON)
    assert not closed.is_wide("acme", BY_TEAM, 0, NOON)
    assert closed.is_wide("acme", BY_TEAM, 1, NOON)


def test_a_question_that_had_too_many_groups_is_asked_for_all_of_them_again_after_a_while() -> None:
    """Its tenant may have fewer by then; one that had too many again is left for as long again."""
    closed = ClosedSums()
    closed.remember_wide("acme", BY_TEAM, 1, NOON)
    closed.remember_wide("acme", BY_TEAM, 2, NOON)
    closed.remember_wide("acme", BY_TEAM, 1, NOON + WIDE_FOR / 2)
    assert closed.is_wide("acme", BY_TEAM, 2, NOON + WIDE_FOR * 0.99)
    assert not closed.is_wide("acme", BY_TEAM, 2, NOON + WIDE_FOR)
    assert closed.is_wide("acme", BY_TEAM, 1, NOON + WIDE_FOR)
    assert not closed.is_wide("acme", BY_TEAM, 1, NOON + WIDE_FOR * 1.5)


def test_a_piece_has_the_generation_of_all_days_in_which_its_buckets_begin() -> None:
    day = NOON.date()
    seen = Generations({day: 2, day + timedelta(days=1): 40}, {NOON: 5})
    assert seen.of(piece(0)) == 2
    assert seen.of(Piece("hour", NOON, NOON + timedelta(hours=12))) == 2
    assert seen.of(Piece("hour", NOON, NOON + timedelta(hours=13))) == 42
    assert seen.of(Piece("day", NOON - timedelta(days=3), NOON - timedelta(days=2))) == 0


def test_a_minute_has_the_version_of_its_rows_and_several_at_once_have_none() -> None:
    seen = Generations({NOON.date(): 2}, {NOON: 5})
    assert seen.of(Piece("minute", NOON, NOON + timedelta(minutes=1))) == 5
    assert seen.of(Piece("minute", NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))) == 0
    assert seen.of(Piece("minute", NOON, NOON + timedelta(minutes=2))) is None
