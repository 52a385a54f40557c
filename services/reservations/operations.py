"""What may be asked of hard budgets, and what is answered. Pure values.

Whoever speaks another protocol translates into these and back: nothing here knows of HTTP.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from services.reservations.values import TTL_MAX, HoldPlace, ReservationState

Overage = Literal["reject", "if_available", "overdraft"]
"""What becomes of a call that cost more than was held: the commit is refused; or only where the difference is
left; or it is counted in any case, for it was spent."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asks. `payload`: digest of the request without its idempotency key, whatever its form."""

    key_id: str
    endpoint: str
    idempotency_key: str
    payload: bytes


_IDS = UUID("5f0f2c5e-93a4-4c55-9f0b-0d6f6b7c7b1e")
_SAME_FOR = timedelta(days=29)
"""Less than an idempotency key is remembered: one that is used again after that never meets its old id."""


def reservation_id(tenant: str, endpoint: str, idempotency_key: str, payload: bytes, now: datetime) -> UUID:
    """Of the reservation that this request makes. Who asks again, not knowing whether it was decided, means
    the same one, whoever decides: Postgres, or a tranche while it is away."""
    turn = int(now.timestamp() // _SAME_FOR.total_seconds())
    return uuid5(_IDS, json.dumps([tenant, endpoint, idempotency_key, payload.hex(), turn]))


@dataclass(frozen=True, kw_only=True)
class Reserve(Asked):
    """Hold `bound` in every hard budget that `dimensions` fall under, all of them or none. `id`: of the
    reservation, by `reservation_id`. `identity`: of the event that will book the call, if known."""

    id: UUID
    dimensions: Mapping[str, str]
    bound: Decimal
    ttl: timedelta = TTL_MAX
    identity: bytes | None = None
    provisional: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Commit(Asked):
    """The call is over. `actual`: what it cost, None = the bound stays held until it is booked. `usage`: what
    it used, for our own event; where `identity` is, or was, stated, its event books it, and not ours."""

    reservation: UUID
    actual: Decimal | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    identity: bytes | None = None
    overage: Overage = "overdraft"


@dataclass(frozen=True, kw_only=True)
class Release(Asked):
    """The call is not made."""

    reservation: UUID


@dataclass(frozen=True, kw_only=True)
class Extend(Asked):
    """The call takes longer."""

    reservation: UUID
    by: timedelta


@dataclass(frozen=True, kw_only=True)
class Debit(Reserve):
    """Something was spent that nobody reserved: `bound` is what it cost. It is committed at once."""

    usage: Mapping[str, Any] = field(default_factory=dict)
    overage: Overage = "overdraft"


@dataclass(frozen=True, kw_only=True)
class Redeem(Reserve):
    """What a worker let through from its tranche while Postgres was away: from now on it is held as any
    other, and the tranche holds so much less."""

    worker: UUID


@dataclass(frozen=True, kw_only=True)
class Draw(Asked):
    """Let a worker's tranche hold `amount` in one place, so that it can go on while Postgres is away."""

    worker: UUID
    place: HoldPlace
    amount: Decimal


Operation = Reserve | Commit | Release | Extend | Draw

RefusalReason = Literal[
    "",
    "budget_exceeded",
    "key_share",
    "too_many_open",
    "currency",
    "dimensions_missing",
    "not_found",
    "expired",
    "finalized",
    "extensions",
    "overage",
    "nothing_to_book",
    "already_booked",
    "event_reserved",
    "idempotency_mismatch",
]


class BudgetSaid(Struct, frozen=True, kw_only=True):
    """One period of a hard budget, after the decision."""

    id: UUID
    name: str
    period_start: datetime
    period_end: datetime
    amount: Decimal
    booked: Decimal
    held: Decimal
    debt: Decimal
    headroom: Decimal
    left: Decimal
    unreserved: str


class ReservationSaid(Struct, frozen=True, kw_only=True):
    """A reservation, after the decision."""

    id: UUID
    state: ReservationState
    bound: Decimal
    held: Decimal
    actual: Decimal | None
    provisional: bool
    created_at: datetime
    expires_at: datetime
    extensions: int


class HoldDecision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`reason` '' = it is done. `budgets`: all that it is held in; where one has not enough, that one alone,
    and `asked`."""

    reason: RefusalReason = ""
    detail: str = ""
    currency: str = ""
    reservation: ReservationSaid | None = None
    budgets: tuple[BudgetSaid, ...] = ()
    asked: Decimal | None = None
    replayed: bool = False
    """The same was asked before, with the same idempotency key."""

    @property
    def done(self) -> bool:
        return not self.reason


encode_decision = msgspec.json.Encoder().encode
decode_decision = msgspec.json.Decoder(HoldDecision).decode
