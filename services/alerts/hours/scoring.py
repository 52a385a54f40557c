"""What a scope's hour usually brings in money, and which score among many scopes chance hardly makes. Pure.

How unusual an hour is `detect/` says, in floats; whatever is printed or decides about money is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from statistics import median_low
from typing import NamedTuple

from services.alerts.bursts.seasons import HOUR, Samples, in_hour
from services.alerts.detect.scope import TAIL_COUNT_MIN
from services.alerts.detect.state import TAIL_BINS, ScopeState
from services.alerts.scopes import DetectorScope
from spendmeter.contracts.money import EXACT, ZERO

LEVEL_HOURS = 24
HOURS_A_WEEK = 168
PAGES_A_WEEK = 1
"""That chance makes, of all scopes of a tenant together."""
NEVER = float("inf")


class HourMoney(NamedTuple):
    """What a scope came to in an hour, or in a part of it."""

    amount: Decimal = ZERO
    events: int = 0
    provisional: Decimal = ZERO

    def plus(self, more: HourMoney) -> HourMoney:
        """Of both parts of an hour."""
        return HourMoney(
            EXACT.add(self.amount, more.amount),
            self.events + more.events,
            EXACT.add(self.provisional, more.provisional),
        )

    @property
    def unit(self) -> float:
        """What an event costs, for scores."""
        return float(self.amount) / self.events if self.events else 0.0


class HourUsual(NamedTuple):
    """What an hour usually brings."""

    rhythm: Decimal
    """This hour of the day and of the week."""
    level: Decimal
    """The middle one of the day before: what has no rhythm yet is held against that."""

    @property
    def amount(self) -> Decimal:
        """The higher of the two."""
        return max(self.rhythm, self.level)


def usual_in(history: Mapping[datetime, Decimal], hour: datetime, zone: tzinfo, since: datetime) -> HourUsual:
    """Of a scope that came to `history`, of a tenant that is known since then."""
    before = [hour - number * HOUR for number in range(1, LEVEL_HOURS + 1)]
    known = [in_hour(history, each) for each in before if each >= since]
    return HourUsual(Samples(hour, zone).usual(history, since), median_low(known) if known else ZERO)


@dataclass(frozen=True, kw_only=True)
class UnusualHour:
    """A scope whose hour is beyond its usual range."""

    scope: DetectorScope
    money: HourMoney
    usual: HourUsual
    score: float

    @property
    def excess(self) -> Decimal:
        """Over what the whole hour usually brings, also where only a part of it is over."""
        return EXACT.subtract(self.money.amount, self.usual.amount)


def page_score(states: Iterable[ScopeState]) -> float:
    """From which score on these scopes together have paged once a week at most; 0 = too little is known."""
    tails, known = [0] * TAIL_BINS, 0
    for state in states:
        known = max(known, state.known)
        tails = [count + more for count, more in zip(tails, state.tail, strict=True)]
    if sum(tails) < TAIL_COUNT_MIN:
        return 0.0
    left = PAGES_A_WEEK * known / HOURS_A_WEEK
    for place in reversed(range(TAIL_BINS)):
        left -= tails[place]
        if left < 0:
            return edge_of(place + 1) if place + 1 < TAIL_BINS else NEVER
    return 0.0


def edge_of(place: int) -> float:
    """The least score of a bin of `ScopeState.tail`: powers of the root of two, from 1/16 on."""
    return float(2 ** ((place - 8) / 2))
