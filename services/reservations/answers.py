"""Decisions and reservations as the native API says them. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.responses import Response

from services.reservations.operations import HoldDecision, RefusalReason
from services.reservations.values import BudgetCounter, Reservation
from services.reservations.work import say_budget, say_reservation
from spendmeter.contracts.money import ZERO, plain
from spendmeter.platform.problem import problem
from spendmeter.pricing.bound import Bound

_encode = msgspec.json.Encoder().encode
_STATUS: dict[RefusalReason, tuple[int, str]] = {
    "budget_exceeded": (409, "Budget exceeded"),
    "key_share": (409, "One key's share exceeded"),
    "too_many_open": (409, "Too many reservations are open"),
    "currency": (409, "A hard budget in another currency"),
    "dimensions_missing": (422, "Dimensions missing"),
    "not_found": (404, "No such reservation"),
    "expired": (410, "The reservation has run out"),
    "finalized": (409, "The reservation is over"),
    "extensions": (409, "Extended too often"),
    "overage": (409, "Dearer than what was held"),
    "nothing_to_book": (422, "Nothing to book"),
    "already_booked": (409, "Already booked"),
    "event_reserved": (409, "Another reservation is of this event"),
    "idempotency_mismatch": (409, "Idempotency key used otherwise"),
}


def answer(
    decision: HoldDecision, path: str, *, status: int = 200, because: tuple[str, ...] = ()
) -> Response:
    """What was done, or a problem document that names the budget, what is left and what was asked."""
    if not decision.done:
        code, title = _STATUS[decision.reason]
        more = {name: value for name, value in _said(decision).items() if value not in (None, [], "")}
        return problem(code, title, decision.detail, instance=path, **more)
    said = {"currency": decision.currency, "replayed": decision.replayed}
    said |= _said(decision) | ({"because": because} if because else {})
    return _json(said, status)


def found(reservation: Reservation, currency: str) -> dict[str, Any]:
    """A reservation, as it is read again."""
    said = msgspec.to_builtins(say_reservation(reservation), builtin_types=(Decimal,))
    return _plain(said) | {
        "key_id": reservation.key_id,
        "dimensions": reservation.dimensions,
        "committed_at": reservation.committed_at,
        "event_stated": reservation.stated,
        "budgets": [{"id": budget, "period_start": start} for budget, start in reservation.places],
        "committed_not_booked": reservation.state == "committed",
        "currency": currency,
    }


def checked(
    as_of: datetime | None,
    counters: list[BudgetCounter],
    missing: list[str],
    elsewhere: list[str],
    bound: Bound | None,
) -> Response:
    """Whether it would be let through, as of a moment ago."""
    needed = ZERO if bound is None else bound.amount
    short = [each for each in counters if each.left < needed or (bound is None and each.left <= 0)]
    return _json(
        {
            "allowed": not (short or missing or elsewhere),
            "advisory": True,
            "as_of": as_of,
            "bound": None if bound is None else plain(bound.amount),
            "currency": bound.currency if bound else counters[0].currency if counters else "",
            "provisional": bound is not None and bound.provisional,
            "dimensions_missing": missing,
            "other_currency": elsewhere,
            "budgets": [_budget(each) for each in counters],
        },
        200,
    )  # fmt: skip


def listed(reservations: list[Reservation], currency: str, after: str) -> Response:
    """A page of them."""
    return _json({"reservations": [found(each, currency) for each in reservations], "after": after}, 200)


def one(reservation: Reservation, currency: str) -> Response:
    """One of them."""
    return _json(found(reservation, currency), 200)


def _said(decision: HoldDecision) -> dict[str, Any]:
    said = msgspec.to_builtins(decision, builtin_types=(Decimal,))
    return {
        "reason": decision.reason,
        "currency": decision.currency,
        "asked": None if decision.asked is None else plain(decision.asked),
        "reservation": _plain(said["reservation"]) if decision.reservation else None,
        "budgets": [_plain(each) for each in said.get("budgets", ())],
    }


def _budget(counter: BudgetCounter) -> dict[str, Any]:
    return _plain(msgspec.to_builtins(say_budget(counter), builtin_types=(Decimal,)))


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in said.items()}


def _json(said: dict[str, Any], status: int) -> Response:
    return Response(_encode(said), status, media_type="application/json")


def after_of(row: Any) -> str:
    """Where the next page begins."""
    at: datetime = row["created_at"]
    return f"{at.isoformat()}~{row['id']}"
