"""The core: what a turn of operations decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.reservations.operations import Commit, Operation, Reserve
from services.reservations.values import TenantState
from tests.reservations.turns import (
    MONTH,
    NOON,
    budget,
    commit,
    debit,
    extend,
    reasons,
    release,
    reserve,
    state,
    turn,
)

D = Decimal


def left(of: TenantState, number: int = 1) -> Decimal:
    return of.counters[UUID(int=number), MONTH[0]].left


def test_of_two_that_together_ask_for_too_much_the_first_has_it_and_the_second_is_told_what_is_left() -> None:
    acme = state(budget("10"), booked="3")
    decided = turn(acme, reserve(1, "5"), reserve(2, "4")).decisions
    assert reasons(decided) == ["", "budget_exceeded"]
    refused = decided[1]
    assert (refused.budgets[0].left, refused.asked) == (D(2), D(4))  # 10 - 3 booked - 5 held
    assert "'b1' has 2 USD left" in refused.detail


def test_all_scopes_of_a_hierarchy_or_none() -> None:
    acme = state(budget("100"), budget("50", 2, team="a"), budget("3", 3, team="a", agent="x"))
    decided = turn(acme, reserve(1, "4", team="a", agent="x"), reserve(2, "4", team="a", agent="y")).decisions
    assert reasons(decided) == ["budget_exceeded", ""]
    assert [left(acme, number) for number in (1, 2, 3)] == [D(96), D(46), D(3)]


def test_a_dimension_that_a_hard_budget_filters_by_must_be_stated() -> None:
    acme = state(budget("100"), budget("50", 2, team="a"))
    assert reasons(turn(acme, reserve(1, "4")).decisions) == ["dimensions_missing"]
    assert reasons(turn(acme, reserve(1, "4", team="")).decisions) == [""]
    assert [left(acme, number) for number in (1, 2)] == [D(96), D(50)]


def test_a_commit_holds_what_it_cost_until_it_is_booked() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "5"), commit(1, "1.25"))
    assert left(acme) == D("8.75")
    assert acme.reservations[UUID(int=1)].state == "committed"
    event = msgspec.json.decode(acme.reservations[UUID(int=1)].event)
    assert (event["id"], event["data"]["usage"]) == (str(UUID(int=1)), {"input_tokens": 10})


def test_whose_event_comes_from_elsewhere_sends_none() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "5"), commit(1, "1", identity=b"i" * 16))
    found = acme.reservations[UUID(int=1)]
    assert (found.event, found.identity, found.stated) == ("", b"i" * 16, True)


def test_a_commit_of_what_the_book_has_already_holds_nothing() -> None:
    acme = state(budget("10"), booked="1")
    acme.booked = frozenset({b"i" * 16})
    turn(acme, reserve(1, "5"), commit(1, "1", identity=b"i" * 16))
    assert (left(acme), acme.reservations[UUID(int=1)].state) == (D(9), "settled")


def test_a_commit_that_names_no_event_finds_its_reservations_own_in_the_book() -> None:
    """It was booked before the mark that the counters stand at: no entry of it will come any more."""
    acme = state(budget("10"))
    turn(acme, reserve(1, "5", identity=b"i" * 16))
    acme = replace(acme, booked=frozenset({b"i" * 16}))
    turn(acme, commit(1, "1"))
    assert (left(acme), acme.reservations[UUID(int=1)].state) == (D(10), "settled")


def test_nothing_is_let_through_past_a_hard_budget_in_another_currency() -> None:
    """Nothing can be held in it, so it would be overspent in silence; what it does not cover goes on."""
    acme = replace(state(budget("10")), elsewhere=((budget("5", 2, team="a"), "EUR"),))
    decided = turn(acme, reserve(1, "1", team="a"), reserve(2, "1", team="b"), reserve(3, "1")).decisions
    assert reasons(decided) == ["currency", "", "dimensions_missing"]
    assert "'b2' is in EUR" in decided[0].detail
    assert left(acme) == D(9)


def test_a_call_that_is_booked_already_is_not_held() -> None:
    acme = state(budget("10"), booked="1")
    acme.booked = frozenset({b"i" * 16})
    assert reasons(turn(acme, reserve(1, "5", identity=b"i" * 16)).decisions) == ["already_booked"]
    assert left(acme) == D(9)


def test_one_event_books_one_reservation() -> None:
    """Of two, the event would free both, and one call would be nobody's."""
    acme = state(budget("10"))
    decided = turn(acme, reserve(1, "2", identity=b"i" * 16), reserve(2, "2", identity=b"i" * 16)).decisions
    assert reasons(decided) == ["", "event_reserved"]
    assert str(UUID(int=1)) in decided[1].detail
    assert reasons(turn(acme, reserve(3, "2"), commit(3, "1", identity=b"i" * 16)).decisions) == [
        "",
        "event_reserved",
    ]
    assert left(acme) == D(6)


def test_what_was_spent_and_is_counted_elsewhere_holds_nothing() -> None:
    acme = state(budget("10"), booked="1")
    acme.booked = frozenset({b"i" * 16})
    turn(acme, debit(1, "1", identity=b"i" * 16))
    assert (left(acme), acme.reservations[UUID(int=1)].state) == (D(9), "settled")


def test_a_cancelled_call_frees_all_that_it_held() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "5"), release(1))
    assert left(acme) == D(10)


def test_what_runs_out_is_freed_before_anything_is_decided_and_a_commit_is_told() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "8", ttl_s=60))
    later = turn(acme, reserve(2, "8"), commit(1, "1"), now=NOON + timedelta(seconds=60))
    assert (reasons(later.decisions), later.expired) == (["", "expired"], 1)


def test_what_was_committed_does_not_run_out() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "8"), commit(1, "8"))
    assert turn(acme, reserve(2, "3"), now=NOON + timedelta(days=1)).decisions[0].reason == "budget_exceeded"


def test_an_extended_one_lives_longer_ten_times_at_most() -> None:
    acme = state(budget("10"))
    turn(acme, reserve(1, "8", ttl_s=60))
    asked = [extend(1, 60, number) for number in range(11)]
    assert reasons(turn(acme, *asked).decisions) == [""] * 10 + ["extensions"]
    assert acme.reservations[UUID(int=1)].expires_at == NOON + timedelta(minutes=11)
    assert turn(acme, now=NOON + timedelta(minutes=10)).expired == 0


def test_the_same_key_has_the_same_answer_whatever_became_of_it_and_another_request_has_none() -> None:
    acme = state(budget("10"))
    first = turn(acme, reserve(1, "5")).decisions[0]
    turn(acme, release(1))
    again, other = turn(acme, reserve(1, "5"), reserve(1, "6"), now=NOON + timedelta(days=3)).decisions
    assert (again.replayed, again.reservation, left(acme)) == (True, first.reservation, D(10))
    assert other.reason == "idempotency_mismatch"


def test_one_key_holds_half_a_budget_at_most() -> None:
    acme = state(budget("10", share="0.5"))
    asked = reserve(1, "4"), reserve(2, "2"), reserve(3, "5", key="k2")
    assert reasons(turn(acme, *asked).decisions) == ["", "key_share", ""]


def test_another_keys_reservation_is_none() -> None:
    acme = state(budget("10"))
    assert reasons(turn(acme, reserve(1, "4"), release(1, key="k2")).decisions) == ["", "not_found"]


def test_a_hold_lies_in_every_period_that_the_call_may_end_in() -> None:
    acme = state(budget("10"))
    held = next(iter(acme.counters.values()))
    following = replace(held, period_start=MONTH[1], period_end=MONTH[1] + timedelta(days=31))
    acme.counters[following.place] = following
    turn(acme, reserve(1, "4", ttl_s=60), now=MONTH[1] - timedelta(minutes=3))  # its grace is 5 minutes
    assert [each.held for each in acme.counters.values()] == [D(4), D(4)]


amounts = st.integers(1, 40).map(str)
numbers = st.integers(1, 12)
operations = st.one_of(
    st.builds(
        reserve,
        numbers,
        amounts,
        ttl_s=st.integers(1, 30),
        team=st.sampled_from("ab"),
        key=st.sampled_from(["k1", "k2"]),
    ),
    st.builds(commit, numbers, amounts, key=st.sampled_from(["k1", "k2"])),
    st.builds(release, numbers, key=st.sampled_from(["k1", "k2"])),
    st.builds(extend, numbers, st.integers(1, 20), numbers, key=st.sampled_from(["k1", "k2"])),
)


@given(st.lists(st.tuples(st.integers(0, 10), operations), max_size=60))
def test_whatever_is_asked_in_whatever_order_no_more_is_held_than_there_is(
    asked: list[tuple[int, Operation]],
) -> None:
    """Commits are for their bound at most here: what costs more was spent, and is counted."""
    acme = state(budget("100"), budget("60", 2, team="a"))
    now = NOON
    for pause, operation in asked:
        now += timedelta(seconds=pause)
        operation = _within_its_bound(acme, operation)
        is_new = ("reserve", operation.idempotency_key) not in acme.answers
        if isinstance(operation, Reserve) and is_new and operation.id in acme.reservations:
            continue
        turn(acme, operation, now=now)
        for place, counter in acme.counters.items():
            held = [each.held for each in acme.reservations.values() if place in each.places]
            assert counter.held == sum(held, D(0))
            assert counter.left >= 0
    end = now + timedelta(hours=3)
    turn(acme, now=end)
    open_now = [each for each in acme.reservations.values() if each.state == "held"]
    assert not open_now and all(
        each.held == 0 for each in acme.reservations.values() if each.state != "committed"
    )
    assert all(not held for held in acme.held_by_key.values())


def _within_its_bound(acme: TenantState, operation: Operation) -> Operation:
    if not isinstance(operation, Commit) or operation.actual is None:
        return operation
    found = acme.reservations.get(operation.reservation)
    return operation if found is None else replace(operation, actual=min(found.bound, operation.actual))
