"""Rows of Postgres as the core's values, and back. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from services.reservations.settle import PastReservation
from services.reservations.values import BudgetCounter, HardBudget, HoldPlace, Reservation

_encode = msgspec.json.Encoder().encode


def budget_of(row: Mapping[str, Any]) -> HardBudget:
    """A row of `budgets`, or one that has its columns."""
    return HardBudget(
        id=row["id"],
        name=row["name"],
        filter=row["filter"],
        amount=row["amount"],
        key_share=row["key_share"],
        unreserved=row["unreserved"],
        when_away=row["when_away"],
    )


def counter_of(row: Mapping[str, Any], budget: HardBudget) -> BudgetCounter:
    """A row of `budget_counters`."""
    names = (
        "period_start",
        "period_end",
        "currency",
        "booked",
        "held",
        "debt",
        "peak_minute",
        "peak_running",
        "peak",
    )
    return BudgetCounter(budget=budget, **{name: row[name] for name in names})


def reservation_of(row: Any) -> Reservation:
    """A row of `reservations`."""
    columns = dict(row)
    for name in ("tenant", "sent_at"):
        columns.pop(name, None)
    places = zip(columns.pop("budget_ids"), columns.pop("period_starts"), strict=True)
    return Reservation(places=tuple(places), **columns)


def reservation_rows(reservations: Iterable[Reservation]) -> str:
    """As JSON for json_populate_recordset."""
    return _encode(
        [
            {name: getattr(each, name) for name in _RESERVATION}
            | {
                "identity": "\\x" + each.identity.hex(),
                "budget_ids": [budget for budget, _ in each.places],
                "period_starts": [start for _, start in each.places],
            }
            for each in reservations
        ]
    ).decode()


def counter_rows(counters: Iterable[BudgetCounter], revisions: Mapping[HoldPlace, int] | None = None) -> str:
    """As JSON for json_populate_recordset; a revision only where counters are made anew."""
    return _encode(
        [
            {name: getattr(each, name) for name in _COUNTER}
            | {"budget_id": each.budget.id, "revision": (revisions or {}).get(each.place)}
            for each in counters
        ]
    ).decode()


def past_rows(past: Iterable[PastReservation]) -> str:
    """As JSON for json_populate_recordset."""
    return _encode([vars(each) | {"identity": "\\x" + each.identity.hex()} for each in past]).decode()


_RESERVATION = (
    *("id", "key_id", "stated", "dimensions", "bound", "held", "actual", "state", "created_at", "expires_at"),
    *("extensions", "committed_at", "provisional", "details", "event"),
)
_COUNTER = (
    *(
        "period_start",
        "period_end",
        "currency",
        "booked",
        "held",
        "debt",
        "peak_minute",
        "peak_running",
        "peak",
    ),
)
