"""What becomes of a turn of operations: decided one after the other, in the order of their arrival. Pure.

What is decided sees all that was decided before it, so no interleaving of any number of callers can hold more
than there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import structs

from services.reservations.finishing import commit, extend, release
from services.reservations.operations import (
    Commit,
    Draw,
    Extend,
    HoldDecision,
    Operation,
    Redeem,
    Release,
    Reserve,
    decode_decision,
    encode_decision,
)
from services.reservations.reserving import reserve
from services.reservations.tranche import draw, give_back
from services.reservations.values import AnswerKey, BudgetCounter, Reservation, StoredAnswer, TenantState
from services.reservations.work import HoldWork


@dataclass(frozen=True, kw_only=True)
class DecidedTurn:
    """Decisions in the order of the operations, and what has to be written before any of them is told."""

    decisions: tuple[HoldDecision, ...]
    reservations: tuple[Reservation, ...]
    counters: tuple[BudgetCounter, ...]
    answers: dict[AnswerKey, tuple[StoredAnswer, UUID | None]]
    expired: int


def decide(state: TenantState, operations: Sequence[Operation], now: datetime) -> DecidedTurn:
    """Decide. `state` is used up; `now` is the database's time."""
    work = HoldWork(state)
    expired = work.expire(now)
    decisions = tuple(_decide(work, operation, now) for operation in operations)
    return DecidedTurn(
        decisions=decisions,
        reservations=tuple(state.reservations[each] for each in work.reservations),
        counters=tuple(state.counters[place] for place in work.counters),
        answers=work.answers,
        expired=len(expired),
    )


def _decide(work: HoldWork, operation: Operation, now: datetime) -> HoldDecision:
    """Its first answer, where the same was asked before; whatever has become of the reservation since."""
    place = operation.endpoint, operation.idempotency_key
    if (known := work.state.answers.get(place)) is not None:
        if known.payload != operation.payload:
            detail = "this idempotency key was used for another request"
            return HoldDecision(reason="idempotency_mismatch", detail=detail)
        return structs.replace(decode_decision(known.decision), replayed=True)
    decision, reservation = _of(work, operation, now)
    if decision.done:
        answer = StoredAnswer(payload=operation.payload, decision=encode_decision(decision))
        work.state.answers[place] = answer
        work.answers[place] = answer, reservation
    return decision


def _of(work: HoldWork, operation: Operation, now: datetime) -> tuple[HoldDecision, UUID | None]:
    if isinstance(operation, Draw):
        return draw(work, operation, now), None
    if isinstance(operation, Reserve):
        decision = reserve(work, operation, now)
        if isinstance(operation, Redeem) and decision.done:
            give_back(work, operation, work.state.reservations[operation.id].places)
        return decision, operation.id
    found = work.state.reservations.get(operation.reservation)
    if found is None or found.key_id != operation.key_id:
        detail = f"this key has no reservation {operation.reservation}"
        return HoldDecision(reason="not_found", detail=detail), None
    if isinstance(operation, Commit):
        return commit(work, operation, found, now), found.id
    if isinstance(operation, Release):
        return release(work, found), found.id
    assert isinstance(operation, Extend)
    return extend(work, operation, found, now), found.id
