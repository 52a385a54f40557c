"""The front over cost, time and success, and the score."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spendmeter.pricing.choice.front import ModelStanding, dominates, front, score

SMALL = st.integers(0, 4).map(Decimal)


@st.composite
def standings(draw: st.DrawFn) -> ModelStanding:
    low = draw(SMALL)
    known: dict[str, Any] = {
        "cost_low": low, "cost_high": low + draw(SMALL), "p95_ms": draw(SMALL), "success": draw(SMALL) / 4
    }  # fmt: skip
    for name in known:
        if draw(st.integers(0, 9)) == 0:
            known[name] = None
    return ModelStanding(name=str(draw(st.integers())), **known)


def standing(name: str, cost: str, p95: int | None, success: str | None, most: str = "") -> ModelStanding:
    return ModelStanding(
        name=name,
        cost_low=Decimal(cost),
        cost_high=Decimal(most or cost),
        p95_ms=None if p95 is None else Decimal(p95),
        success=None if success is None else Decimal(success),
    )


@given(st.lists(standings(), max_size=8))
def test_a_dominated_one_is_never_on_the_front_and_whoever_is_not_on_it_is_dominated_from_it(
    those: list[ModelStanding],
) -> None:
    found = front(those)
    on_it = [each for each, (where, _) in zip(those, found, strict=True) if where == "front"]
    for each, (where, by) in zip(those, found, strict=True):
        assert (where == "unknown") == (not each.is_known)
        assert (where == "dominated") == bool(by)
        assert (where == "dominated") == any(dominates(other, each) for other in on_it)


@given(standings(), standings(), standings())
def test_dominance_is_strict_and_goes_on(
    one: ModelStanding, two: ModelStanding, three: ModelStanding
) -> None:
    assert not dominates(one, one)
    assert not (dominates(one, two) and dominates(two, one))
    if dominates(one, two) and dominates(two, three):
        assert dominates(one, three)


def test_equals_leave_each_other_alone() -> None:
    assert front([standing("a", "1", 100, "0.9"), standing("b", "1", 100, "0.9")]) == [
        ("front", []),
        ("front", []),
    ]


def test_what_nobody_measured_neither_dominates_nor_is_dominated() -> None:
    best, cheap = standing("best", "2", 1, "1"), standing("cheap", "0", None, None)
    assert front([best, cheap]) == [("front", []), ("unknown", [])]


def test_an_interval_dominates_by_its_dearer_end_alone() -> None:
    sure, unsure = standing("sure", "2", 100, "0.9"), standing("unsure", "1", 100, "0.9", most="3")
    assert front([sure, unsure]) == [("front", []), ("front", [])]
    assert front([standing("dear", "4", 100, "0.9"), unsure])[0] == ("dominated", ["unsure"])


def test_the_score_adds_errors_and_seconds_at_their_price() -> None:
    """0.02 a call; one of twenty fails at 0.5: 0.025; 1.5 s at 0.01: 0.015. Together 0.06, at most 0.07."""
    found = score(
        standing("a", "0.02", 9000, "0.95", most="0.03"),
        Decimal(1500),
        price_per_error=Decimal("0.5"),
        price_per_second=Decimal("0.01"),
    )
    assert (found.errors, found.waiting) == (Decimal("0.025"), Decimal("0.015"))
    assert (found.low, found.high) == (Decimal("0.06"), Decimal("0.07"))


def test_a_part_that_nobody_knows_makes_no_score_unless_it_is_not_asked_for() -> None:
    unknown = standing("a", "0.02", None, None)
    asked = score(unknown, None, price_per_error=Decimal(1), price_per_second=Decimal(0))
    assert (asked.errors, asked.waiting, asked.low) == (None, 0, None)
    free = score(unknown, None, price_per_error=Decimal(0), price_per_second=Decimal(0))
    assert free.low == Decimal("0.02")
