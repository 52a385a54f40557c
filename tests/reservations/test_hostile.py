"""What a hostile or careless caller asks: it is refused with a reason, and holds, books and reveals nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from starlette.requests import Request

from services.reservations.app import _after, _call_of, read_asked
from services.reservations.cycles.translate import CyclesCaller, commit_by, debit_by, reserve_by
from services.reservations.cycles.wire import CyclesCommit, CyclesCreate, CyclesEvent, CyclesFault
from services.reservations.decide import decide
from services.reservations.desk import Desk
from services.reservations.memory import CounterMemory
from services.reservations.operations import Debit, Redeem, reservation_id
from services.reservations.requests import (
    CommitAsked,
    RequestFault,
    ReserveAsked,
    bound_of,
    commit_of,
    reserve_of,
)
from services.reservations.tranches import Tranches
from services.reservations.values import BudgetCounter
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.gate import check_rules
from spendmeter.contracts.label_maps import NO_MAPS
from tests.reservations.turns import NOON, budget, reserve, state

ONE_CENT = {"unit": "USD_MICROCENTS", "amount": 1_000_000}
CALL = {"subject": {"agent": "a"}, "action": {"kind": "llm", "name": "openai:gpt-4o"}}


def caller(key_id: str = "k0123456789ab") -> CyclesCaller:
    return CyclesCaller(tenant="acme", key_id=key_id, currency="USD", maps=NO_MAPS)


def event(**said: Any) -> CyclesEvent:
    return msgspec.convert({"idempotency_key": "1", "actual": ONE_CENT} | CALL | said, CyclesEvent)


@pytest.mark.parametrize(
    "said",
    [
        {"cost_class": "bogus"},
        {"dimensions": {f"own_{number}": "x" for number in range(9)}},  # a tenant has eight
        {"dimensions": {"user": "ada@example.org"}},
    ],
)
def test_what_the_gate_would_not_book_is_not_reserved(said: dict[str, Any]) -> None:
    asked = msgspec.convert({"amount": "1"} | said, ReserveAsked)
    bound = bound_of(asked, None, "acme", "USD", NOON)
    with pytest.raises(RequestFault, match="dimensions"):
        reserve_of(asked, bound, "acme", "k1", "i", NOON)


def test_every_reservation_that_is_taken_can_be_booked_by_our_own_event() -> None:
    asked = msgspec.convert(
        {"amount": "1", "dimensions": {"team": "é" * 128, "run": "r" * 128}}, ReserveAsked
    )
    operation = reserve_of(asked, bound_of(asked, None, "acme", "USD", NOON), "acme", "k1", "i", NOON)
    before = state()
    decide(before, [operation], NOON)
    made = before.reservations[operation.id]
    done = commit_of(CommitAsked(amount="1"), made, None, "acme", "USD", "k1", made.id, NOON)
    (committed,) = decide(before, [done], NOON).reservations
    check_rules(read_event(committed.event.encode()), False)


@pytest.mark.parametrize("dimensions", [{"own": "x" * 256}, {"user": "ada"}])
def test_cycles_dimensions_that_no_event_may_have_are_refused(dimensions: dict[str, str]) -> None:
    with pytest.raises(CyclesFault, match="dimensions"):
        debit_by(event(subject={"agent": "a", "dimensions": dimensions}), caller(), NOON)


def test_another_key_with_the_same_idempotency_key_is_not_let_through_by_the_first_ones_hold() -> None:
    # Each of them would make a call of a cent; one cent alone is held.
    asked = msgspec.convert({"idempotency_key": "step-1", "estimate": ONE_CENT} | CALL, CyclesCreate)
    first, second = (reserve_by(asked, caller(key), NOON) for key in ("k1", "k2"))
    turn = decide(state(budget("1")), [first, second], NOON)
    assert [each.reason for each in turn.decisions] == ["", "idempotency_mismatch"]


def test_a_text_that_postgres_cannot_keep_is_refused_and_not_asked_for_again_and_again() -> None:
    for said in ({"idempotency_key": "a\0"}, {"metadata": {"deep": [{"x\0": 1}]}}):
        with pytest.raises(CyclesFault, match=r"U\+0000"):
            debit_by(event(**said), caller(), NOON)
    commit = CyclesCommit(idempotency_key="1", actual=event().actual, metadata={"why": "\\u0000, in words"})
    assert commit_by(commit, caller(), None, UUID(int=1)).actual == Decimal("0.01")


def test_who_asks_again_is_told_the_same_reservation_by_postgres_and_by_a_tranche() -> None:
    """The first was decided just before Postgres went away, and its answer was lost; a tranche let the second
    through, and redeems it. Whichever was told, its commit is counted."""
    asked = msgspec.convert({"amount": "1"}, ReserveAsked)
    bound = bound_of(asked, None, "acme", "USD", NOON)
    first, again = (
        reserve_of(asked, bound, "acme", "k1", "call-7", at) for at in (NOON, NOON + timedelta(seconds=9))
    )
    before = state(budget("100"))
    turn = decide(before, [first, Redeem(**vars(again), worker=UUID(int=9))], NOON)
    assert [each.reservation.id for each in turn.decisions if each.reservation] == [again.id, again.id]
    spent = commit_of(CommitAsked(amount="1"), None, None, "acme", "USD", "k1", again.id, NOON)
    assert decide(before, [spent], NOON).decisions[0].done


def test_an_idempotency_key_that_is_forgotten_makes_another_reservation() -> None:
    def made(key: str = "call-7", at: datetime = NOON, tenant: str = "acme", payload: bytes = b"x") -> UUID:
        return reservation_id(tenant, "reserve", key, payload, at)

    after = NOON + timedelta(days=30)  # answers are kept for so long, reservations longer
    others = (made(at=after), made("call-8"), made(tenant="globex"), made(payload=b"y"))
    assert len({made(), *others}) == 5


async def test_what_was_spent_already_takes_nothing_from_a_tranche_while_postgres_is_away(
    tmp_path: Path,
) -> None:
    memory = CounterMemory(None)
    tranches = Tranches(cast("Desk", None), memory, tmp_path)
    ages = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    allowing = replace(budget("100"), when_away="tranche")
    counter = BudgetCounter(budget=allowing, period_start=ages[0], period_end=ages[1], currency="USD")
    memory.note("acme", [counter])
    tranches._left["acme"] = {counter.place: Decimal(1)}
    call, spent = reserve(1, "0.5"), Debit(**vars(reserve(2, "0.5")))
    assert await tranches.decide("acme", spent) is None
    assert await tranches.decide("acme", call) is not None


async def test_numbers_that_python_does_not_read_are_faults_of_the_request() -> None:
    with pytest.raises(RequestFault):
        _call_of({"max_output_tokens": "9" * 5000})
    with pytest.raises(RequestFault):
        _after(f"0001-01-01T00:00:00+14:00~{UUID(int=1)}")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"quantities": {"x": 1e99999999999999999999}}'}

    with pytest.raises(RequestFault):
        await read_asked(Request({"type": "http", "headers": []}, receive), ReserveAsked)
