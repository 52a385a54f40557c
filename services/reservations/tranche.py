"""A worker's tranche: a small hold drawn beforehand, for calls while Postgres is away. Pure.

It is a committed reservation of nobody's event, one for each worker, budget and period: it runs out with the
period alone, so nobody else gets what may have been spent from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from services.reservations.operations import Draw, HoldDecision, Redeem
from services.reservations.own_event import own_identity
from services.reservations.reserving import say, too_little
from services.reservations.values import BudgetCounter, HoldPlace, Reservation
from services.reservations.work import HoldWork
from spendmeter.contracts.money import EXACT, ZERO

SHARE = Decimal("0.01")
"""Of a budget's amount, for each worker."""
MARK = "tranche"
"""In the details of its reservation."""


def tranche_id(worker: UUID, place: HoldPlace) -> UUID:
    """Of its reservation."""
    return uuid5(worker, f"{place[0]} {int(place[1].timestamp())}")


def wanted(counters: Iterable[BudgetCounter]) -> dict[HoldPlace, Decimal]:
    """What a worker should hold of each budget whose policy allows it."""
    return {
        each.place: EXACT.multiply(each.budget.amount, SHARE)
        for each in counters
        if each.budget.when_away == "tranche"
    }


def let_through(
    covering: Iterable[BudgetCounter], tranches: Mapping[HoldPlace, Decimal], bound: Decimal
) -> dict[HoldPlace, Decimal] | None:
    """What is left of the tranches once `bound` is spent from each that covers a call; None where any of its
    budgets refuses, or has not enough."""
    left: dict[HoldPlace, Decimal] = {}
    for counter in covering:
        rest = EXACT.subtract(tranches.get(counter.place, ZERO), bound)
        if counter.budget.when_away != "tranche" or rest < 0:
            return None
        left[counter.place] = rest
    return left


def draw(work: HoldWork, asked: Draw, now: datetime) -> HoldDecision:
    """Fill it up to the amount; it holds all of that, or what it held before."""
    named = tranche_id(asked.worker, asked.place)
    counter = work.state.counters.get(asked.place)
    if counter is None:
        return HoldDecision(reason="not_found", detail="this budget has no such period")
    known = work.state.reservations.get(named)
    before = known.held if known else ZERO
    more = max(EXACT.subtract(asked.amount, before), ZERO)
    if refusal := too_little([counter], more):
        return refusal
    if known:
        return say(work, work.change(known, replace(known, held=EXACT.add(before, more))))
    made = Reservation(
        id=named,
        key_id="",
        identity=own_identity(work.state.tenant, named),
        stated=True,
        dimensions={},
        places=(asked.place,),
        bound=asked.amount,
        held=more,
        state="committed",
        created_at=now,
        expires_at=counter.period_end,
        committed_at=now,
        details={MARK: str(asked.worker)},
    )
    work.open(made)
    return say(work, made)


def give_back(work: HoldWork, asked: Redeem, places: Iterable[HoldPlace]) -> None:
    """The tranche holds so much less: it lies in the reservation from now on."""
    for place in places:
        known = work.state.reservations.get(tranche_id(asked.worker, place))
        if known is not None and known.is_open:
            rest = max(EXACT.subtract(known.held, asked.bound), ZERO)
            work.change(known, replace(known, held=rest))
