"""Decisions of ours in the words of Cycles. Pure; what it rounds, it rounds to our disadvantage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from services.reservations.cycles.levels import scope_of_budget, scopes_of
from services.reservations.cycles.translate import PLACES, UNIT, CyclesCaller, said_of
from services.reservations.cycles.wire import CyclesFault, CyclesSubject
from services.reservations.operations import BudgetSaid, HoldDecision, RefusalReason
from services.reservations.values import BudgetCounter, Reservation
from spendmeter.contracts.money import EXACT

CyclesAnswer = dict[str, Any]
STATUSES: Mapping[RefusalReason, tuple[int, str]] = {
    "budget_exceeded": (409, "BUDGET_EXCEEDED"),
    "key_share": (409, "BUDGET_EXCEEDED"),
    "overage": (409, "BUDGET_EXCEEDED"),
    "too_many_open": (429, "LIMIT_EXCEEDED"),
    "currency": (400, "UNIT_MISMATCH"),
    "dimensions_missing": (400, "INVALID_REQUEST"),
    "nothing_to_book": (400, "INVALID_REQUEST"),
    "already_booked": (409, "RESERVATION_FINALIZED"),
    "event_reserved": (409, "IDEMPOTENCY_MISMATCH"),
    "not_found": (404, "NOT_FOUND"),
    "expired": (410, "RESERVATION_EXPIRED"),
    "finalized": (409, "RESERVATION_FINALIZED"),
    "extensions": (409, "MAX_EXTENSIONS_EXCEEDED"),
    "idempotency_mismatch": (409, "IDEMPOTENCY_MISMATCH"),
}
STATES = {
    "held": "ACTIVE",
    "committed": "COMMITTED",
    "settled": "COMMITTED",
    "released": "RELEASED",
    "expired": "EXPIRED",
}
_INT64 = 2**63 - 1


def microcents(amount: Decimal, *, left: bool = False) -> CyclesAnswer:
    """What was spent or is held is rounded up, what is left down."""
    scaled = amount.scaleb(PLACES).to_integral_value(ROUND_FLOOR if left else ROUND_CEILING)
    return {"unit": UNIT, "amount": max(-_INT64, min(int(scaled), _INT64))}


def refuse(decision: HoldDecision) -> CyclesFault:
    """The fault that a refusal is. What would fit but for what was spent beyond the budget meets debt."""
    status, code = STATUSES[decision.reason]
    tight = decision.budgets[0] if decision.budgets else None
    asked = decision.asked
    if tight and asked is not None and tight.left < asked <= EXACT.add(tight.left, tight.debt):
        code = "DEBT_OUTSTANDING"
    return CyclesFault(status, code, decision.detail)


def created(
    decision: HoldDecision, caller: CyclesCaller, subject: CyclesSubject, grace: timedelta, now: datetime
) -> CyclesAnswer:
    """200, of a reservation."""
    made = decision.reservation
    assert made is not None, "it is done"
    scopes = scopes_of(caller.tenant, subject)
    return {
        "decision": "ALLOW",
        "reservation_id": str(made.id),
        "affected_scopes": scopes,
        "scope_path": scopes[-1],
        "reserved": microcents(made.bound),
        "balances": balances_said(decision.budgets, caller),
        **_lease(made.expires_at - grace, now),
    }


def decided(
    refused: str, caller: CyclesCaller, subject: CyclesSubject, *, dry_run: bool = False
) -> CyclesAnswer:
    """200, of what would be decided now; `refused`: the code of why not."""
    scopes = scopes_of(caller.tenant, subject)
    said: CyclesAnswer = {"decision": "DENY" if refused else "ALLOW", "affected_scopes": scopes}
    said |= {"reason_code": refused} if refused else {}
    return said | ({"scope_path": scopes[-1]} if dry_run else {})


def committed(decision: HoldDecision, caller: CyclesCaller) -> CyclesAnswer:
    """200, of a commit; what was held beyond the cost is free again."""
    made = decision.reservation
    assert made is not None and made.actual is not None, "it is done"
    said: CyclesAnswer = {"status": "COMMITTED", "charged": microcents(made.actual)}
    if made.bound > made.actual:
        said["released"] = microcents(EXACT.subtract(made.bound, made.actual), left=True)
    return said | {"balances": balances_said(decision.budgets, caller)}


def released(decision: HoldDecision, caller: CyclesCaller) -> CyclesAnswer:
    """200, of a release."""
    assert decision.reservation is not None, "it is done"
    return {
        "status": "RELEASED",
        "released": microcents(decision.reservation.bound, left=True),
        "balances": balances_said(decision.budgets, caller),
    }


def extended(decision: HoldDecision, caller: CyclesCaller, grace: timedelta, now: datetime) -> CyclesAnswer:
    """200, of a longer lease."""
    assert decision.reservation is not None, "it is done"
    return {
        "status": "ACTIVE",
        "balances": balances_said(decision.budgets, caller),
        **_lease(decision.reservation.expires_at - grace, now),
    }


def applied(decision: HoldDecision, caller: CyclesCaller) -> CyclesAnswer:
    """201, of an event."""
    assert decision.reservation is not None, "it is done"
    return {
        "status": "APPLIED",
        "event_id": str(decision.reservation.id),
        "charged": microcents(decision.reservation.bound),
        "balances": balances_said(decision.budgets, caller),
    }


def balances_said(budgets: Iterable[BudgetSaid], caller: CyclesCaller) -> list[CyclesAnswer]:
    """Of the budgets that a decision is about: by their names, for it does not say what they filter by."""
    return [
        _balance(f"budget:{each.name}", f"tenant:{caller.tenant}/budget:{each.name}", each)
        for each in budgets
    ]


def balances_of(counters: Iterable[BudgetCounter], caller: CyclesCaller) -> list[CyclesAnswer]:
    """Of counters, by their scopes."""
    found = []
    for each in counters:
        path = scope_of_budget(caller.tenant, each.budget.filter, caller.maps)
        found.append(_balance(path.rpartition("/")[2], path, each))
    return sorted(found, key=lambda said: str(said["scope_path"]))


def _balance(scope: str, path: str, of: BudgetSaid | BudgetCounter) -> CyclesAnswer:
    amount = of.amount if isinstance(of, BudgetSaid) else of.budget.amount
    return {
        "scope": scope,
        "scope_path": path,
        "remaining": microcents(of.left, left=True),
        "reserved": microcents(of.held),
        "spent": microcents(of.booked),
        "allocated": microcents(amount, left=True),
        "debt": microcents(of.debt),
        "is_over_limit": of.left < 0,
    }


def listed(of: Reservation, caller: CyclesCaller, now: datetime, *, whole: bool = False) -> CyclesAnswer:
    """One of a list; `whole`: all that is known of it."""
    said, grace = said_of(of), grace_of(of)
    subject = said.get("subject") or {"tenant": caller.tenant}
    scopes = scopes_of(caller.tenant, CyclesSubject(**subject))
    run_out = of.state == "held" and of.expires_at <= now
    found: CyclesAnswer = {
        "reservation_id": str(of.id),
        "status": "EXPIRED" if run_out else STATES[of.state],
        "subject": subject,
        "action": said.get("action") or {"kind": "unknown", "name": "unknown"},
        "reserved": microcents(of.bound),
        "created_at_ms": _ms(of.created_at),
        "expires_at_ms": _ms(of.expires_at - grace),
        "scope_path": scopes[-1],
        "affected_scopes": scopes,
    }
    if key := said.get("idempotency_key"):
        found["idempotency_key"] = key
    if whole and of.actual is not None:
        found["committed"] = microcents(of.actual)
    if whole and of.committed_at is not None:
        found["finalized_at_ms"] = _ms(of.committed_at)
    return found | ({"metadata": said["metadata"]} if whole and said.get("metadata") else {})


def grace_of(reservation: Reservation | None) -> timedelta:
    """How much longer it is held than its client is told."""
    return timedelta(milliseconds=said_of(reservation).get("grace_period_ms", 0))


def _lease(until: datetime, now: datetime) -> CyclesAnswer:
    return {
        "expires_at_ms": _ms(until),
        "remaining_ttl_ms": max(0, int((until - now) / timedelta(milliseconds=1))),
    }


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
