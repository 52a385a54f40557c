"""In which counters open reservations lie, when budgets or periods are others than they were. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.reservations.tranche import MARK
from services.reservations.values import GRACE, HardBudget, HoldPlace, Reservation
from spendmeter.contracts.money import EXACT, ZERO


def matched(
    reservations: Iterable[Reservation],
    budgets: Mapping[UUID, HardBudget],
    periods: Mapping[HoldPlace, datetime],
    in_book: Collection[bytes],
) -> list[Reservation]:
    """The open reservations with their new places; those that the book has are settled. What they hold stays:
    where a budget was lowered below it, less than nothing is left, and nobody gets more."""
    found = []
    for each in reservations:
        if each.identity in in_book:
            found.append(replace(each, state="settled", held=ZERO))
            continue
        if MARK in each.details:
            found.append(replace(each, places=tuple(place for place in each.places if place in periods)))
            continue
        places = [
            (budget, start)
            for (budget, start), end in periods.items()
            if start <= each.expires_at + GRACE
            and each.created_at < end
            and budgets[budget].covers(each.dimensions)
        ]
        found.append(replace(each, places=tuple(places)))
    return found


def held_in(reservations: Iterable[Reservation]) -> dict[HoldPlace, Decimal]:
    """What they hold together in each place."""
    found: dict[HoldPlace, Decimal] = {}
    for each in reservations:
        for place in each.places:
            found[place] = EXACT.add(found.get(place, ZERO), each.held)
    return found
