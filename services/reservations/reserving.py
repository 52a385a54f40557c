"""Whether something may be spent, and its hold: in every budget that it falls under, or in none. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.reservations.operations import Debit, HoldDecision, Redeem, Reserve
from services.reservations.own_event import own_event, own_identity
from services.reservations.values import (
    GRACE,
    OPEN_MAX,
    TTL_MAX,
    BudgetCounter,
    Reservation,
)
from services.reservations.work import HoldWork, say_budget, say_reservation
from spendmeter.contracts.money import EXACT, ZERO, plain


def reserve(work: HoldWork, asked: Reserve, now: datetime) -> HoldDecision:
    """Hold the bound, or say which budget has not enough. A Debit is held to nothing but its overage: it was
    spent."""
    dimensions = {**asked.dimensions, "key_id": asked.key_id}
    if not isinstance(asked, Redeem) and (missing := _missing(work, dimensions)):
        detail = (
            f"hard budgets of this tenant filter by {', '.join(missing)}: state it, '' where there is none"
        )
        return HoldDecision(reason="dimensions_missing", detail=detail)
    if not isinstance(asked, Debit | Redeem) and (refusal := _elsewhere(work, dimensions)):
        return refusal
    if not isinstance(asked, Debit | Redeem) and (refusal := event_refusal(work, asked.identity, asked.id)):
        return refusal
    ttl = min(asked.ttl, TTL_MAX)
    within = work.matching(dimensions, now, now + ttl + GRACE)
    spent = isinstance(asked, Debit)
    in_any_case = isinstance(asked, Redeem) or (isinstance(asked, Debit) and asked.overage == "overdraft")
    if not in_any_case and (refusal := _refusal(work, asked, within, counts_open=not spent)):
        return refusal
    made = Reservation(
        id=asked.id,
        key_id=asked.key_id,
        identity=asked.identity or own_identity(work.state.tenant, asked.id),
        stated=asked.identity is not None,
        dimensions=dimensions,
        places=tuple(counter.place for counter in within),
        bound=asked.bound,
        held=asked.bound,
        state="committed" if spent else "held",
        created_at=now,
        expires_at=now + ttl,
        provisional=asked.provisional,
        details=asked.details,
    )
    if isinstance(asked, Debit):
        made = _spent(work, asked, made, now)
    if made.stated and (made.identity in work.state.booked or made.identity in work.state.reserved):
        # It was spent, and the book or another reservation counts it.
        made = replace(made, state="settled", held=ZERO)
    work.open(made)
    return say(work, made)


def say(work: HoldWork, reservation: Reservation) -> HoldDecision:
    """That it is done."""
    counters = [work.state.counters[place] for place in reservation.places if place in work.state.counters]
    return HoldDecision(
        currency=work.state.currency,
        reservation=say_reservation(reservation),
        budgets=tuple(map(say_budget, counters)),
    )


def event_refusal(work: HoldWork, identity: bytes | None, reservation: UUID) -> HoldDecision | None:
    """Why no call that this event books may be held by the reservation: it is booked, or held already."""
    if identity is None:
        return None
    if identity in work.state.booked:
        detail = "the event that is to book this call is booked already: there is nothing left to hold"
        return HoldDecision(reason="already_booked", detail=detail)
    holder = work.state.reserved.get(identity, reservation)
    if holder == reservation:
        return None
    detail = f"reservation {holder} is of the event that is to book this call: a call of its own has another"
    return HoldDecision(reason="event_reserved", detail=detail)


def too_little(counters: Sequence[BudgetCounter], asked: Decimal) -> HoldDecision | None:
    """The budget with the least left, where that is less than is asked."""
    tightest = min(counters, key=lambda counter: counter.left, default=None)
    if tightest is None or tightest.left >= asked:
        return None
    budget = tightest.budget
    return HoldDecision(
        reason="budget_exceeded",
        detail=f"budget {budget.name!r} has {plain(tightest.left)} {tightest.currency} left until "
        f"{tightest.period_end:%Y-%m-%d %H:%M}Z, and {plain(asked)} was asked for",
        currency=tightest.currency,
        budgets=(say_budget(tightest),),
        asked=asked,
    )


def _spent(work: HoldWork, asked: Debit, made: Reservation, now: datetime) -> Reservation:
    state = work.state
    event = (
        "" if made.stated else own_event(state.tenant, made, asked.usage, asked.bound, state.currency, now)
    )
    return replace(made, actual=asked.bound, committed_at=now, event=event)


def _elsewhere(work: HoldWork, dimensions: Mapping[str, str]) -> HoldDecision | None:
    """Why nothing is let through past a budget that can hold nothing: it would overspend in silence."""
    for budget, currency in work.state.elsewhere:
        if budget.covers(dimensions):
            detail = (
                f"hard budget {budget.name!r} is in {currency}, and this book in {work.state.currency}: "
                "nothing can be held in it. Make it anew in that, or no hard one"
            )
            return HoldDecision(reason="currency", detail=detail)
    return None


def _missing(work: HoldWork, dimensions: dict[str, str]) -> list[str]:
    budgets = [counter.budget for counter in work.state.counters.values()]
    budgets += [budget for budget, _ in work.state.elsewhere]
    wanted = {name for budget in budgets for name in budget.filter}
    return sorted(wanted - dimensions.keys())


def _refusal(
    work: HoldWork, asked: Reserve, within: Sequence[BudgetCounter], *, counts_open: bool
) -> HoldDecision | None:
    if counts_open and work.state.open_by_key.get(asked.key_id, 0) >= OPEN_MAX:
        detail = f"this key has {OPEN_MAX} reservations open: commit or release them"
        return HoldDecision(reason="too_many_open", detail=detail)
    return too_little(within, asked.bound) or _too_much_for_one(work, asked, within)


def _too_much_for_one(work: HoldWork, asked: Reserve, within: Sequence[BudgetCounter]) -> HoldDecision | None:
    for counter in within:
        share = EXACT.multiply(counter.budget.amount, counter.budget.key_share)
        held = EXACT.add(work.state.held_by_key.get((asked.key_id, counter.place), ZERO), asked.bound)
        if held > share:
            detail = (
                f"one key may hold {plain(share)} {counter.currency} of {counter.budget.name!r} at once, "
                f"and this would be {plain(held)}"
            )
            return HoldDecision(
                reason="key_share", detail=detail, currency=counter.currency, budgets=(say_budget(counter),),
                asked=asked.bound,
            )  # fmt: skip
    return None
