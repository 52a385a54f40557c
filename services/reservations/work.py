"""What a turn of decisions changes: holds are put, moved and freed here alone. Pure.

A reservation's hold lies in each of its places; a counter's `held` is their sum, whatever happens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.reservations.operations import BudgetSaid, ReservationSaid
from services.reservations.values import (
    AnswerKey,
    BudgetCounter,
    HoldPlace,
    Reservation,
    ReservationState,
    StoredAnswer,
    TenantState,
)
from spendmeter.contracts.money import EXACT, ZERO


@dataclass
class HoldWork:
    """A state, and what of it is another since."""

    state: TenantState
    counters: set[HoldPlace] = field(default_factory=set)
    reservations: set[UUID] = field(default_factory=set)
    answers: dict[AnswerKey, tuple[StoredAnswer, UUID | None]] = field(default_factory=dict)
    """With the reservation that each is about."""

    def open(self, made: Reservation) -> None:
        """A new reservation, and its hold."""
        self._put(made)
        self._move(made, made.held)
        if made.state == "held":
            self._count(made, 1, made.held)

    def change(
        self, before: Reservation, after: Reservation, places: Iterable[HoldPlace] | None = None
    ) -> Reservation:
        """One in the place of another, which is the same reservation: holds move with it."""
        if before.state == "held":
            self._count(before, -1, -before.held)
        self._move(before, -before.held)
        if places is not None:
            after = replace(after, places=tuple(places))
        self._move(after, after.held)
        if after.state == "held":
            self._count(after, 1, after.held)
        self._put(after)
        return after

    def close(self, before: Reservation, state: ReservationState) -> Reservation:
        """Nothing is held for it any longer."""
        return self.change(before, replace(before, state=state, held=ZERO))

    def expire(self, now: datetime) -> list[Reservation]:
        """Free what nobody committed in time."""
        due = [
            each
            for each in self.state.reservations.values()
            if each.state == "held" and each.expires_at <= now
        ]
        return [self.close(each, "expired") for each in due]

    def add(self, place: HoldPlace, counter: BudgetCounter) -> None:
        """A counter in the place of another."""
        self.state.counters[place] = counter
        self.counters.add(place)

    def matching(self, dimensions: dict[str, str], since: datetime, until: datetime) -> list[BudgetCounter]:
        """Counters of periods that [since, until] touches, whose budgets cover these dimensions."""
        return [
            counter
            for counter in self.state.counters.values()
            if counter.period_start <= until
            and since < counter.period_end
            and counter.budget.covers(dimensions)
        ]

    def _put(self, reservation: Reservation) -> None:
        before = self.state.reservations.get(reservation.id, reservation)
        if self.state.reserved.get(before.identity) == before.id:
            del self.state.reserved[before.identity]
        if reservation.is_open:
            self.state.reserved[reservation.identity] = reservation.id
        self.state.reservations[reservation.id] = reservation
        self.reservations.add(reservation.id)

    def _move(self, reservation: Reservation, amount: Decimal) -> None:
        if not amount:
            return
        for place in reservation.places:
            # A budget that was removed, or is hard no more, has no counter: nothing is held in it.
            if (counter := self.state.counters.get(place)) is not None:
                self.add(place, replace(counter, held=EXACT.add(counter.held, amount)))

    def _count(self, reservation: Reservation, number: int, amount: Decimal) -> None:
        key, held = reservation.key_id, self.state.held_by_key
        self.state.open_by_key[key] = self.state.open_by_key.get(key, 0) + number
        for place in reservation.places:
            held[key, place] = EXACT.add(held.get((key, place), ZERO), amount)


def say_budget(counter: BudgetCounter) -> BudgetSaid:
    """The counter as it is told."""
    return BudgetSaid(
        id=counter.budget.id,
        name=counter.budget.name,
        period_start=counter.period_start,
        period_end=counter.period_end,
        amount=counter.budget.amount,
        booked=counter.booked,
        held=counter.held,
        debt=counter.debt,
        headroom=counter.headroom,
        left=counter.left,
        unreserved=counter.budget.unreserved,
    )


def say_reservation(reservation: Reservation) -> ReservationSaid:
    """The reservation as it is told."""
    return ReservationSaid(
        id=reservation.id,
        state=reservation.state,
        bound=reservation.bound,
        held=reservation.held,
        actual=reservation.actual,
        provisional=reservation.provisional,
        created_at=reservation.created_at,
        expires_at=reservation.expires_at,
        extensions=reservation.extensions,
    )
