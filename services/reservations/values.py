"""What a tenant's hard budgets are, what is held of them, and by which reservations. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from spendmeter.contracts.money import EXACT, ZERO

TTL_MAX = timedelta(minutes=15)
EXTENSIONS_MAX = 10
OPEN_MAX = 1_000
"""Reservations that one key holds at once."""
GRACE = timedelta(minutes=5)
"""A call may end so long after its reservation does: periods and prices are looked at until then."""
LIFE_MAX = TTL_MAX * (1 + EXTENSIONS_MAX) + GRACE
"""No reservation is open for longer: its bound is the dearest price within it."""

Unreserved = Literal["reserved_only", "headroom"]
"""What of spend that nobody reserved: it books, and is told; or room is kept for it."""
WhenAway = Literal["refuse", "tranche"]
"""What becomes of a request while Postgres is away."""
ReservationState = Literal["held", "committed", "settled", "released", "expired"]
HoldPlace = tuple[UUID, datetime]
"""A budget, and the start of one of its periods."""


@dataclass(frozen=True, kw_only=True)
class HardBudget:
    """A budget that refuses. `filter`: dimension to value."""

    id: UUID
    name: str
    filter: Mapping[str, str]
    amount: Decimal
    key_share: Decimal = Decimal("0.5")
    """How much of it one key may hold at once, in shares of one."""
    unreserved: Unreserved = "reserved_only"
    when_away: WhenAway = "refuse"

    def covers(self, dimensions: Mapping[str, str]) -> bool:
        """Whether spend of these dimensions counts."""
        return all(dimensions.get(name, "") == value for name, value in self.filter.items())


@dataclass(frozen=True, kw_only=True)
class BudgetCounter:
    """One period of a hard budget, in the tenant's currency. `booked`: what the book says up to the mark;
    `held`: what open reservations may still cost; `debt`: what of `booked` came when nothing was held for it
    any longer."""

    budget: HardBudget
    period_start: datetime
    period_end: datetime
    currency: str
    booked: Decimal = ZERO
    held: Decimal = ZERO
    debt: Decimal = ZERO
    peak_minute: datetime | None = None
    peak_running: Decimal = ZERO
    """Of that minute, what nobody reserved; `peak`: the most of any minute."""
    peak: Decimal = ZERO

    @property
    def place(self) -> HoldPlace:
        return self.budget.id, self.period_start

    @property
    def headroom(self) -> Decimal:
        """What is kept free for spend that nobody reserves: the dearest minute of it so far, for that is how
        late the book may be."""
        return max(self.peak, self.peak_running) if self.budget.unreserved == "headroom" else ZERO

    @property
    def left(self) -> Decimal:
        """What may be reserved; below zero where more was spent than there was."""
        taken = EXACT.add(EXACT.add(self.booked, self.held), self.headroom)
        return EXACT.subtract(self.budget.amount, taken)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What somebody may spend. `held` is what it holds in each of `places`: its bound, once it is committed
    what it cost, and nothing when it is settled, released or expired."""

    id: UUID
    key_id: str
    identity: bytes
    """Of the event that books it: the caller's, where it is `stated`, else our own."""
    stated: bool
    dimensions: Mapping[str, str]
    places: tuple[HoldPlace, ...]
    bound: Decimal
    held: Decimal
    state: ReservationState
    created_at: datetime
    expires_at: datetime
    actual: Decimal | None = None
    extensions: int = 0
    committed_at: datetime | None = None
    provisional: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the caller wants to read again: never looked into here."""
    event: str = ""
    """Our own event of the call, once it is committed; it is sent until it was."""

    @property
    def is_open(self) -> bool:
        return self.state in ("held", "committed")


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """What was answered to an idempotency key, and to which request."""

    payload: bytes
    """Digest of the request."""
    decision: bytes
    """As JSON."""


AnswerKey = tuple[str, str]
"""(endpoint, idempotency key)."""


@dataclass(kw_only=True)
class TenantState:
    """What decisions follow from, read under the tenant's lock."""

    tenant: str
    currency: str
    """The book's."""
    counters: dict[HoldPlace, BudgetCounter] = field(default_factory=dict)
    elsewhere: tuple[tuple[HardBudget, str], ...] = ()
    """Budgets in another currency than the book's, and in which: nothing can be held in them."""
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    """Those that operations name, and those whose time is up."""
    answers: dict[AnswerKey, StoredAnswer] = field(default_factory=dict)
    open_by_key: dict[str, int] = field(default_factory=dict)
    held_by_key: dict[tuple[str, HoldPlace], Decimal] = field(default_factory=dict)
    """Both of reservations that are not committed yet."""
    booked: frozenset[bytes] = frozenset()
    """Of the identities that operations name, those that lie in the book before the mark: no entry of theirs
    will come any more, so nothing may be held until one does."""
    reserved: dict[bytes, UUID] = field(default_factory=dict)
    """Of the same identities, those of open reservations, and whose: one event books one call."""
