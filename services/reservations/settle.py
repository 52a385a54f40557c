"""What newly booked entries make of counters and reservations. Pure.

An entry counts in each budget whose filter its series matches, in the period that it happened in; a
reservation of its identity holds nothing from then on. Both at once, so a cost never counts twice, and never
not at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from services.reservations.values import BudgetCounter, Reservation, TenantState
from services.reservations.work import HoldWork
from spendmeter.contracts.money import EXACT


@dataclass(frozen=True, kw_only=True)
class PassedEntry:
    """An entry past the mark; a correction's amount may be below zero, and its `seq` is above."""

    identity: bytes
    seq: int
    dimensions: Mapping[str, str]
    """Of its series: those that have a value."""
    occurred_at: datetime
    currency: str
    effective: Decimal


PastSubject = Literal["unreserved", "unlike", "debt"]


@dataclass(frozen=True, kw_only=True)
class PastReservation:
    """An event whose money no reservation kept within its budgets: a row of `unreserved_waiting`."""

    identity: bytes
    key_id: str
    """Whose reservation it was, or, of what nobody reserved, whose event."""
    subject: PastSubject
    """unreserved: nobody reserved it, and its budget is for what is reserved alone; debt: its reservation was
    over; unlike: it was not, but stated other dimensions."""
    budget_id: UUID
    """The innermost that it is about."""
    currency: str
    amount: Decimal
    occurred_at: datetime
    differs: Mapping[str, Sequence[str]]
    """By dimension what was reserved and what was booked."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What has to be written with the mark. `mismatches`: events of reservations that stated other values of
    dimensions that budgets filter by, by key; `above`: those that cost more than was bound; `past`: what
    people are told of."""

    reservations: tuple[Reservation, ...]
    counters: tuple[BudgetCounter, ...]
    mismatches: Mapping[str, int]
    above: Mapping[str, int]
    past: Sequence[PastReservation] = ()


def settle(state: TenantState, entries: Sequence[PassedEntry]) -> Settled:
    """Count the entries. `state` has every counter, and the reservations of their identities; it is used
    up."""
    work = HoldWork(state)
    of: defaultdict[bytes, list[Reservation]] = defaultdict(list)
    for reservation in state.reservations.values():
        of[reservation.identity].append(reservation)
    filtered = {name for counter in state.counters.values() for name in counter.budget.filter}
    mismatches: defaultdict[str, int] = defaultdict(int)
    above: defaultdict[str, int] = defaultdict(int)
    past = []
    for entry in entries:
        known = [state.reservations[each.id] for each in of.get(entry.identity, ())]
        if entry.seq == 0 and (found := _past(work, entry, known, filtered)) is not None:
            past.append(found)
        _book(work, entry, known)
        for reservation in known:
            if entry.seq == 0:
                mismatches[reservation.key_id] += bool(_differing(reservation, entry, filtered))
                above[reservation.key_id] += entry.effective > reservation.bound
            if reservation.is_open:
                work.close(reservation, "settled")
    return Settled(
        reservations=tuple(state.reservations[each] for each in work.reservations),
        counters=tuple(state.counters[place] for place in work.counters),
        mismatches={key: number for key, number in mismatches.items() if number},
        above={key: number for key, number in above.items() if number},
        past=past,
    )


def _book(work: HoldWork, entry: PassedEntry, known: Sequence[Reservation]) -> None:
    was_open = _was_open(known)
    for place, counter in list(work.state.counters.items()):
        if not _counts(counter, entry):
            continue
        added = replace(counter, booked=EXACT.add(counter.booked, entry.effective))
        if entry.seq == 0 and not was_open:
            if known:
                added = replace(added, debt=EXACT.add(counter.debt, entry.effective))
            else:
                added = _unreserved(added, entry)
        work.add(place, added)


def _was_open(known: Sequence[Reservation]) -> bool:
    return any(each.state in ("held", "committed", "settled") for each in known)


def _counts(counter: BudgetCounter, entry: PassedEntry) -> bool:
    return (
        counter.period_start <= entry.occurred_at < counter.period_end
        and counter.currency == entry.currency
        and counter.budget.covers(entry.dimensions)
    )


def _unreserved(counter: BudgetCounter, entry: PassedEntry) -> BudgetCounter:
    """Nobody reserved it: what comes of such in one minute is what headroom is for."""
    minute = entry.occurred_at.replace(second=0, microsecond=0)
    if counter.peak_minute is not None and minute < counter.peak_minute:
        return counter
    if minute == counter.peak_minute:
        return replace(counter, peak_running=EXACT.add(counter.peak_running, entry.effective))
    peak = max(counter.peak, counter.peak_running)
    return replace(counter, peak=peak, peak_minute=minute, peak_running=entry.effective)


def _differing(
    reservation: Reservation, entry: PassedEntry, filtered: Iterable[str]
) -> dict[str, tuple[str, str]]:
    stated, booked = reservation.dimensions, entry.dimensions
    pairs = {name: (stated.get(name, ""), booked.get(name, "")) for name in sorted(filtered)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _past(
    work: HoldWork, entry: PassedEntry, known: Sequence[Reservation], filtered: Iterable[str]
) -> PastReservation | None:
    """What people are told of an entry; None = nothing. It is one subject, so that sums count it once."""
    counters = [each for each in work.state.counters.values() if _counts(each, entry)]
    differs: dict[str, tuple[str, str]] = {}
    subject: PastSubject = "unreserved"
    if known:
        subject = "debt" if not _was_open(known) else "unlike"
        if subject == "unlike":
            differs = _differing(known[0], entry, filtered)
            evaded = [work.state.counters[at] for at in known[0].places if at in work.state.counters]
            counters = [*counters, *evaded] if differs else []
    else:
        counters = [each for each in counters if each.budget.unreserved == "reserved_only"]
    if not counters or entry.effective <= 0:
        return None
    innermost = max(counters, key=lambda each: (len(each.budget.filter), each.budget.id))
    return PastReservation(
        identity=entry.identity,
        key_id=known[0].key_id if known else entry.dimensions.get("key_id", ""),
        subject=subject,
        budget_id=innermost.budget.id,
        currency=entry.currency,
        amount=entry.effective,
        occurred_at=entry.occurred_at,
        differs=differs,
    )
