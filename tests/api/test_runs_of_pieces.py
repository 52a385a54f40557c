"""Pieces of time in a row are added up once, for as long as none of them changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.api.spend import groups
from services.api.spend.closed import ClosedSums, GroupSum, PieceSums
from services.api.spend.groups import RUN, PlacedSums, added_up, in_all
from spendmeter.book.cover import Piece
from spendmeter.book.reading import Generations

DAY = datetime(2026, 11, 1, tzinfo=UTC)
BY_TEAM = ("", ("team",), (), None)
DAYS = [Piece("day", DAY + timedelta(days=n), DAY + timedelta(days=n + 1)) for n in range(RUN + 2)]
OPEN = Piece("minute", DAY + timedelta(days=20), DAY + timedelta(days=20, minutes=5))
"""Several minutes: whether these have changed nobody knows."""
USD = ("USD", ("search",))


def spent(amount: str) -> PieceSums:
    return {USD: GroupSum(DAY, {"events": 1, "effective": Decimal(amount)}, {"input_tokens": Decimal(3)})}


def generations(**changed: int) -> Generations:
    return Generations({piece.start.date(): changed.get(f"day_{n}", 1) for n, piece in enumerate(DAYS)}, {})


def put_together(
    closed: ClosedSums, seen: Generations, amount: str = "0.1", pieces: list[Piece] | None = None
) -> PlacedSums:
    placed = [(1, piece, spent(amount)) for piece in pieces or DAYS]
    return groups._in_runs(placed, seen, closed, "acme", BY_TEAM)


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each sum that was worked out."""
    found: list[str] = []

    def counted(*asked: object, **how: object) -> object:
        found.append("once")
        return added_up(*asked, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(groups, "added_up", counted)
    return found


def test_a_run_is_added_up_once_and_comes_to_what_its_pieces_do(sums: list[str]) -> None:
    closed = ClosedSums()
    first, again = put_together(closed, generations()), put_together(closed, generations())
    assert (len(first), len(sums)) == (3, 1)
    assert first[0][1] is again[0][1]
    whole = in_all(first)[USD]
    assert whole.sums == {"events": 10, "effective": Decimal("1.0")}
    assert whole.usage == {"input_tokens": Decimal(30)}


def test_what_changed_in_any_piece_of_a_run_is_in_the_next_sum(sums: list[str]) -> None:
    closed = ClosedSums()
    put_together(closed, generations())
    changed = put_together(closed, generations(day_3=2), amount="0.2")
    assert in_all(changed)[USD].sums["effective"] == Decimal("2.0")
    assert sums[:2] == ["once", "once"]


def test_what_may_have_changed_unseen_is_in_no_run_that_is_kept(sums: list[str]) -> None:
    pieces = [*DAYS[: RUN - 1], OPEN]
    assert len(put_together(ClosedSums(), generations(), pieces=pieces)) == RUN
    assert sums == []


def test_a_run_is_of_one_bucket() -> None:
    placed = [(1 + n // 5, piece, spent("1")) for n, piece in enumerate(DAYS)]
    found = groups._in_runs(placed, generations(), ClosedSums(), "acme", BY_TEAM)
    assert [place for place, _ in found] == [1] * 5 + [2] * 5


def test_without_quantities_money_is_the_same() -> None:
    whole = in_all([(1, spent("0.1")), (2, spent("0.2"))], usage=False)[USD]
    assert (whole.sums, whole.usage) == ({"events": 2, "effective": Decimal("0.3")}, {})
