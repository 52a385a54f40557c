"""What each scope of a tenant came to on each complete local day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.alerts.scopes import NAMING_ORDER, TENANT, DetectorScope
from spendmeter.contracts.money import EXACT, ZERO, divided, total

DAY = timedelta(days=1)
REST = "~others"
"""In place of a value: those of a dimension that are not among the largest, together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelDay:
    """One scope, one day: money as booked and at today's prices, calls and tokens."""

    effective: Decimal = ZERO
    worth: Decimal = ZERO
    """At today's prices."""
    provisional: Decimal = ZERO
    calls: int = 0
    unpriced: int = 0
    input: Decimal = ZERO
    """All of it, cached or not."""
    cached: Decimal = ZERO
    """Of the input, what was read from a cache."""
    output: Decimal = ZERO


NO_DAY = LevelDay()


@dataclass(frozen=True, kw_only=True)
class LevelDays:
    """Days of a tenant's scopes, consecutive and complete; a scope that is missing on one was silent."""

    first: date
    number: int
    by_scope: Mapping[DetectorScope, Mapping[int, LevelDay]]
    """By the day's place."""

    @property
    def last(self) -> date:
        return self.first + (self.number - 1) * DAY

    def of(self, scope: DetectorScope) -> Sequence[LevelDay]:
        """Of each day, oldest first."""
        known = self.by_scope.get(scope, {})
        return [known.get(place, NO_DAY) for place in range(self.number)]

    def since(self, scope: DetectorScope, day: date) -> Sequence[LevelDay]:
        """From a day on."""
        return self.of(scope)[max(0, (day - self.first).days) :]

    def until(self, last: date, number: int) -> LevelDays:
        """So many days of these, up to one of them."""
        first = last - (number - 1) * DAY
        shift = (first - self.first).days
        places = range(shift, shift + number)
        return LevelDays(
            first=first,
            number=number,
            by_scope={
                scope: {place - shift: day for place, day in days.items() if place in places}
                for scope, days in self.by_scope.items()
            },
        )

    def worth_of(self, scope: DetectorScope) -> list[Decimal]:
        """Of each day from the first on that it spent."""
        amounts = [day.worth for day in self.of(scope)]
        silent = next((place for place, amount in enumerate(amounts) if amount > 0), len(amounts))
        return amounts[silent:]

    def tenant_per_day(self) -> Decimal:
        """What the whole tenant usually spends in a day: the last four weeks' mean."""
        lately = self.worth_of(TENANT)[-28:]
        return divided(total(lately), Decimal(len(lately))) if lately else ZERO


def scope_of(named: Mapping[str, str]) -> DetectorScope:
    """Of an incident."""
    return next(iter(named.items()), TENANT)


def named(scope: DetectorScope) -> dict[str, str]:
    """As an incident has it."""
    return {} if scope == TENANT else {scope[0]: scope[1]}


def place_of(scope: DetectorScope) -> int:
    """How telling its dimension is, the most telling first; what a tenant calls a dimension of its own tells
    less than what everybody has, and the whole tenant least of all."""
    if scope == TENANT:
        return len(NAMING_ORDER) + 2
    if scope[1] == REST:
        return len(NAMING_ORDER) + 1
    return NAMING_ORDER.index(scope[0]) if scope[0] in NAMING_ORDER else len(NAMING_ORDER)


def all_of(days: Iterable[LevelDay], name: str) -> Decimal:
    """The sum of one figure."""
    result = ZERO
    for day in days:
        result = EXACT.add(result, Decimal(getattr(day, name)))
    return result
