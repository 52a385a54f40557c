"""Settling: an entry counts once, in the place of what was held for it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.reservations.settle import PassedEntry, settle
from tests.reservations.turns import MODEL, MONTH, NOON, budget, commit, release, reserve, state, turn

D = Decimal
HERE = UUID(int=1), MONTH[0]


def entry(identity: bytes, amount: str, *, seq: int = 0, minutes: int = 0, **dimensions: str) -> PassedEntry:
    return PassedEntry(
        identity=identity,
        seq=seq,
        dimensions=MODEL | {"key_id": "k1"} | dimensions,
        occurred_at=NOON + timedelta(minutes=minutes),
        currency="USD",
        effective=D(amount),
    )


def test_what_was_held_makes_room_for_what_is_booked() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "5"), commit(1, "2", identity=b"a"))
    settled = settle(acme, [entry(b"a", "1.5")])
    counter = acme.counters[HERE]
    assert (counter.booked, counter.held, counter.debt, counter.left) == (D("1.5"), 0, 0, D("8.5"))
    assert [each.state for each in settled.reservations] == ["settled"]


def test_an_event_of_another_team_settles_and_is_counted_as_unlike() -> None:
    acme = state(budget("10"), budget("5", 2, team="a"))
    turn(acme, reserve(1, "5", team="a"), commit(1, "2", identity=b"a"))
    settled = settle(acme, [entry(b"a", "2", team="b")])
    assert (settled.mismatches, settled.above) == ({"k1": 1}, {})
    child = acme.counters[UUID(int=2), MONTH[0]]
    assert (child.booked, child.held) == (0, 0)


def test_what_cost_more_than_its_bound_is_counted() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "1"), commit(1, "1", identity=b"a"))
    assert settle(acme, [entry(b"a", "1.01")]).above == {"k1": 1}


def test_what_no_reservation_kept_within_its_budgets_is_told_once_and_of_the_innermost() -> None:
    acme = state(budget("10"), budget("5", 2, team="a"), replace(budget("9", 3), unreserved="headroom"))
    turn(acme, reserve(1, "1", team="a"), commit(1, "1", identity=b"reserved"))
    turn(acme, reserve(2, "1", team="a"), commit(2, "1", identity=b"unlike"))
    turn(acme, reserve(3, "1", team="a"), release(3))
    late = acme.reservations[UUID(int=3)].identity
    said = {"team": "a"}
    past = settle(
        acme,
        [
            entry(b"reserved", "1", **said),
            entry(b"unlike", "0.75", team="b"),
            entry(late, "0.5", **said),
            entry(b"nobody's", "2", **said),
            entry(b"nobody's", "3", seq=1, **said),  # a correction is no spend
            entry(b"free", "0", **said),
            entry(b"other", "4", team="c"),
        ],
    ).past
    assert [(each.subject, each.amount, each.budget_id.int, each.differs) for each in past] == [
        ("unlike", D("0.75"), 2, {"team": ("a", "b")}),
        ("debt", D("0.5"), 2, {}),
        ("unreserved", D(2), 2, {}),
        ("unreserved", D(4), 1, {}),
    ]


def test_where_room_is_kept_for_what_nobody_reserves_nothing_is_told() -> None:
    acme = state(replace(budget("10"), unreserved="headroom"))
    assert settle(acme, [entry(b"1", "1")]).past == []


def test_headroom_is_the_dearest_minute_that_nobody_reserved() -> None:

    acme = state(replace(budget("10"), unreserved="headroom"))
    settle(acme, [entry(b"1", "1"), entry(b"2", "2"), entry(b"3", "0.5", minutes=1)])
    counter = acme.counters[HERE]
    assert (counter.booked, counter.headroom, counter.left) == (D("3.5"), D(3), D("3.5"))


def test_a_correction_changes_what_is_booked_and_nothing_else() -> None:
    acme = state(budget("10"))
    settle(acme, [entry(b"a", "2"), entry(b"a", "-2", seq=1), entry(b"a", "1", seq=2)])
    assert acme.counters[HERE].booked == 1


calls = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from(["book", "commit", "release", "forget"]), st.booleans()),
    max_size=30,
)


@given(calls)
def test_in_whatever_order_calls_end_and_are_booked_nothing_counts_twice_or_is_lost(
    said: list[tuple[int, str, bool]],
) -> None:
    """Each call holds its bound, and costs that. In the end: booked = what was booked, and held = the rest that was
    committed and is not booked."""
    acme = state(budget("10000"))
    booked = committed = D(0)
    for number, (cost, what, early) in enumerate(said, 1):
        name = bytes([number])
        turn(acme, reserve(number, str(cost)))
        if early and what == "commit":  # the book has it before the commit names it
            settle(acme, [entry(name, str(cost))])
            acme.booked = frozenset({name})
            booked += cost
            turn(acme, commit(number, str(cost), identity=name))
        elif what in ("commit", "book"):
            turn(acme, commit(number, str(cost), identity=name))
            if what == "book":
                settle(acme, [entry(name, str(cost))])
                booked += cost
            else:
                committed += cost
        elif what == "release":
            turn(acme, release(number))
    turn(acme, now=NOON + timedelta(hours=3))
    counter = acme.counters[HERE]
    assert (counter.booked, counter.held, counter.debt) == (booked, committed, 0)
