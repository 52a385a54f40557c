"""Budgets, states and operations by hand, for tests of the core."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from services.reservations.decide import DecidedTurn, decide
from services.reservations.operations import Commit, Debit, Extend, HoldDecision, Operation, Release, Reserve
from services.reservations.values import BudgetCounter, HardBudget, TenantState

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
MODEL = {"provider": "openai", "sku": "gpt-4o", "cost_class": "model"}


def budget(amount: str, number: int = 1, share: str = "1", **scope: str) -> HardBudget:
    """A hard budget of a month."""
    return HardBudget(
        id=UUID(int=number), name=f"b{number}", filter=scope, amount=Decimal(amount), key_share=Decimal(share)
    )


def state(*budgets: HardBudget, booked: str = "0") -> TenantState:
    """Nothing is held."""
    counters = [
        BudgetCounter(
            budget=each, period_start=MONTH[0], period_end=MONTH[1], currency="USD", booked=Decimal(booked)
        )
        for each in budgets
    ]
    return TenantState(tenant="acme", currency="USD", counters={each.place: each for each in counters})


def reserve(
    number: int,
    bound: str,
    key: str = "k1",
    ttl_s: int = 60,
    identity: bytes | None = None,
    **dimensions: str,
) -> Reserve:
    """Its id and its idempotency key are its number."""
    return Reserve(
        **_asked("reserve", f"r{number}", f"{bound}{dimensions}", key),
        id=UUID(int=number),
        dimensions=MODEL | dimensions,
        bound=Decimal(bound),
        ttl=timedelta(seconds=ttl_s),
        identity=identity,
    )


def commit(number: int, actual: str | None, key: str = "k1", identity: bytes | None = None) -> Commit:
    """Of the reservation of that number."""
    return Commit(
        **_asked("commit", f"c{number}", f"{actual}", key),
        reservation=UUID(int=number),
        actual=None if actual is None else Decimal(actual),
        usage={"input_tokens": 10},
        identity=identity,
    )


def release(number: int, key: str = "k1") -> Release:
    """Likewise."""
    return Release(**_asked("release", f"x{number}", "", key), reservation=UUID(int=number))


def extend(number: int, by_s: int, turn: int = 1, key: str = "k1") -> Extend:
    """Likewise."""
    asked = _asked("extend", f"e{number}.{turn}", f"{by_s}", key)
    return Extend(**asked, reservation=UUID(int=number), by=timedelta(seconds=by_s))


def debit(
    number: int, amount: str, *, identity: bytes | None = None, key: str = "k1", **dimensions: str
) -> Debit:
    """Likewise."""
    asked = _asked("debit", f"d{number}", amount, key)
    return Debit(
        **asked, id=UUID(int=number), dimensions=dimensions, bound=Decimal(amount), identity=identity,
        usage={"requests": 1},
    )  # fmt: skip


def turn(of: TenantState, *operations: Operation, now: datetime = NOON) -> DecidedTurn:
    """Decide; the state keeps what was decided."""
    return decide(of, operations, now)


def reasons(decisions: Sequence[HoldDecision]) -> list[str]:
    """Why not, of each; '' = it was done."""
    return [each.reason for each in decisions]


def _asked(endpoint: str, idempotency_key: str, payload: str, key: str) -> dict[str, object]:
    digest = hashlib.sha256(f"{endpoint}{payload}".encode()).digest()
    return {"key_id": key, "endpoint": endpoint, "idempotency_key": idempotency_key, "payload": digest}
