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


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What has to be written with the mark. `mismatches`: events of reservations that stated other values of
    dimensions that budgets filter by, by key; `above`: those that cost more than was bound."""

    reservations: tuple[Reservation, ...]
    counters: tuple[BudgetCounter, ...]
    mismatches: Mapping[str, int]
    above: Mapping[str, int]


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
    for entry in entries:
        known = [state.reservations[each.id] for each in of.get(entry.identity, ())]
        _book(work, entry, known)
        for reservation in known:
            if entry.seq == 0:
                mismatches[reservation.key_id] += _differs(reservation, entry, filtered)
                above[reservation.key_id] += entry.effective > reservation.bound
            if reservation.is_open:
                work.close(reservation, "settled")
    return Settled(
        reservations=tuple(state.reservations[each] for each in work.reservations),
        counters=tuple(state.counters[place] for place in work.counters),
        mismatches={key: number for key, number in mismatches.items() if number},
        above={key: number for key, number in above.items() if number},
    )


def _book(work: HoldWork, entry: PassedEntry, known: Sequence[Reservation]) -> None:
    was_open = any(each.state in ("held", "committed", "settled") for each in known)
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


def _differs(reservation: Reservation, entry: PassedEntry, filtered: Iterable[str]) -> bool:
    stated = reservation.dimensions
    return any(stated.get(name, "") != entry.dimensions.get(name, "") for name in filtered)
