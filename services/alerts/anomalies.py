"""One anomaly rule: a scope's open minute far over its own recent expectation. Pure, and replayable.

A scope is one value of one dimension, or the whole tenant. What it spends in the open minute (and in the one
that just closed, once there is enough history without it) must exceed its expectation by a multiple of its
own high minutes *and* by an amount that matters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import Series

RULE = "minute-burst"
RULE_NAME = "Spend far over expectation"
RULE_REVISION = 1

DetectorScope = tuple[str, str]
"""(dimension, value)."""
TENANT: DetectorScope = ("tenant", "")
NAMING_ORDER = ("agent", "workflow", "feature", "key_id", "team", "sku", "provider")
"""Watched dimensions, the most telling first: an incident is named after the first that explains it."""

MINUTE = timedelta(minutes=1)
HISTORY_MINUTES = 60
GAP_MINUTES = 10
"""A longer silence of the whole tenant is no history: the system was off, and its next minute is partial."""
COVERED_SHARE_MIN = Decimal("0.15")
"""A tenant's very first minute teaches, scaled up, if at least this much of it was seen."""
MATURE_MINUTES = 5
"""From so many closed minutes on, the newest is kept out of the expectation and belongs to what is tested."""
SCOPES_MAX = 1_000
"""Scopes that are learned, those with the most money; any other is held against its siblings."""
SERIES_REMEMBERED_MAX = 5_000

LEVEL_WEIGHT = Decimal("0.2")
HIGH_MINUTES = 20
"""From so many minutes on a scope's high minute is its second highest: one outlier must not blind."""
SHARE_FLOOR = Decimal("0.5")
ROOT_FACTOR = Decimal(2)
SCORE_MIN = Decimal(2)
YOUTH_MINUTES = Decimal(2)
"""With n minutes of history the gate is (1 + YOUTH_MINUTES / n) times as high."""
MATERIAL_AMOUNT = Decimal(1)
"""In the tenant's currency: what an excess must come to before anybody is woken."""
MATERIAL_SHARE = Decimal("0.05")
"""Of what the whole tenant spends in a minute."""
FOLD_SHARE = Decimal("0.5")
"""A scope of whose excess this much lies within an incident already named is that incident."""
NAME_SHARE = Decimal("0.8")
BEGAN_SHARE = Decimal("0.25")
HOT_FACTOR = Decimal(2)
HOT_SHARE = Decimal("0.5")


class Tally(NamedTuple):
    """Money and events of one scope or series in one minute."""

    amount: Decimal
    events: int


class Spent(NamedTuple):
    """Money of one series in a minute that is tested, and the part of it that is priced by an upper bound."""

    minute: datetime
    series: Series
    amount: Decimal
    provisional: Decimal = ZERO


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a scope spends in a minute, how large its high minutes are, which excess (`gate`) is news."""

    per_minute: Decimal
    scale: Decimal
    gate: Decimal
    minutes: int


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Expectations from the closed minutes before `until`."""

    until: datetime
    minutes: int
    scopes: Mapping[DetectorScope, Expectation]
    siblings: Mapping[str, Expectation]
    """By dimension: what its median value does."""

    def of(self, scope: DetectorScope) -> Expectation | None:
        """A scope's expectation; a young one's is at least its siblings'. None = nothing is known."""
        own, tenant = self.scopes.get(scope), self.scopes.get(TENANT)
        if own is not None and (own.minutes >= MATURE_MINUTES or scope == TENANT):
            return own
        peers = self.siblings.get(scope[0])
        if own is None or peers is None:
            # The first value of its dimension is held against the whole tenant's high minutes.
            return own or peers or (tenant and replace(tenant, per_minute=ZERO))
        return Expectation(
            per_minute=max(own.per_minute, peers.per_minute),
            scale=max(own.scale, peers.scale),
            gate=max(own.gate, peers.gate),
            minutes=own.minutes,
        )


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A scope that spends far more than expected; it began in the minute `began_at`."""

    scope: DetectorScope
    began_at: datetime
    expected_per_minute: Decimal
    """What the scope itself used to spend; where it is new, what its siblings do."""
    hot_per_minute: Decimal
    """It goes on for as long as the scope spends this much."""


@lru_cache(maxsize=SERIES_REMEMBERED_MAX)
def scopes_of(series: Series) -> tuple[DetectorScope, ...]:
    """Every scope that a series' money belongs to."""
    named = ((dimension, getattr(series, dimension)) for dimension in NAMING_ORDER)
    return (TENANT, *(scope for scope in named if scope[1]))


def within(series: Series, scope: DetectorScope) -> bool:
    """Whether a series' money belongs to the scope."""
    return scope == TENANT or getattr(series, scope[0]) == scope[1]


def learn(
    minutes: Mapping[datetime, Sequence[tuple[Series, Tally]]], now: datetime, first_seen: datetime | None
) -> Learned:
    """Expectations of every scope from closed minutes, by what each series did in them.

    `first_seen`: when the tenant's first series was met; it tells how much of its very first minute was seen.
    """
    until = now.replace(second=0, microsecond=0)
    history = _timeline(minutes, until, first_seen)
    if len(history) > MATURE_MINUTES:
        until -= MINUTE
        history = [(minute, tallies) for minute, tallies in history if minute < until]
    history = history[-HISTORY_MINUTES:]
    begins: dict[DetectorScope, int] = {}
    amounts: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    for position, (_, tallies) in enumerate(history):
        for scope, tally in tallies.items():
            begins.setdefault(scope, position)
            amounts[scope] += tally.amount
    silence = Tally(ZERO, 0)
    scopes = {
        scope: expectation([tallies.get(scope, silence) for _, tallies in history[begins[scope] :]])
        for scope in sorted(amounts, key=lambda scope: (-amounts[scope], scope))[:SCOPES_MAX]
    }
    return Learned(until=until, minutes=len(history), scopes=scopes, siblings=_siblings(scopes))


def expectation(history: Sequence[Tally]) -> Expectation:
    """From a scope's minutes, at least one, oldest first: the higher of their median and recent level."""
    amounts = [tally.amount for tally in history]
    level = amounts[0]
    for amount in amounts[1:]:
        level += LEVEL_WEIGHT * (amount - level)
    per_minute = max(median(amounts), level, ZERO)
    events = sum(tally.events for tally in history)
    an_event = max(sum(amounts, ZERO), ZERO) / events if events else ZERO
    high = sorted(amounts)[-2 if len(amounts) >= HIGH_MINUTES else -1]
    scale = max(high, SHARE_FLOOR * per_minute, ROOT_FACTOR * (per_minute * an_event).sqrt())
    gate = SCORE_MIN * (1 + YOUTH_MINUTES / len(history)) * scale
    return Expectation(per_minute=per_minute, scale=scale, gate=gate, minutes=len(history))


def detect(
    spent: Sequence[Spent], learned: Learned, now: datetime, named: Collection[DetectorScope]
) -> list[Anomaly]:
    """The scopes that are far over their expectation now, one for each cause.

    `spent`: the minutes from `learned.until` on. `named`: scopes with an incident that is open or was open a
    moment ago: their money, and that of whatever lies around them, is known already.
    """
    test = _Test(spent, learned, now)
    known = list(named)
    found = []
    for scope in test.crossing():
        cause = test.cause(scope)
        if not any(test.explains(other, scope) or test.explains(other, cause) for other in known):
            known.append(cause)
            found.append(test.anomaly(cause))
    return found


def is_hot(amount: Decimal, expected: Decimal, hot: Decimal) -> bool:
    """Whether an incident goes on: amounts of the minutes under test, by what was known at its opening."""
    return amount >= max(hot, expected + MATERIAL_AMOUNT * HOT_SHARE)


class _Test:
    """One look at the minutes under test."""

    def __init__(self, spent: Sequence[Spent], learned: Learned, now: datetime) -> None:
        self._learned = learned
        self._open = now.replace(second=0, microsecond=0)
        self._spent = [row for row in spent if learned.until <= row.minute <= self._open]
        self._minutes = _minutes(now - learned.until)
        self._open_minutes = _minutes(now - self._open)
        self._all: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
        self._now: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
        for row in self._spent:
            for scope in scopes_of(row.series):
                self._all[scope] += row.amount
                if row.minute == self._open:
                    self._now[scope] += row.amount

    def crossing(self) -> list[DetectorScope]:
        """Scopes past both gates, the largest excess first."""
        tenant = self._learned.scopes.get(TENANT)
        if tenant is None:
            return []  # nothing is known yet, so nothing is unexpected
        material = max(MATERIAL_AMOUNT, MATERIAL_SHARE * tenant.per_minute)
        crossing = []
        for scope in self._all:
            expected = self._learned.of(scope)
            excess = self._excess(scope)
            if expected is not None and excess >= material and excess >= expected.gate:
                crossing.append((-excess, _rank(scope), scope))
        return [scope for *_, scope in sorted(crossing)]

    def cause(self, scope: DetectorScope) -> DetectorScope:
        """The most telling scope that holds nearly all of the excess, `scope` itself if no other does."""
        needed = NAME_SHARE * self._excess(scope)
        inside: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
        for row in self._spent:
            if within(row.series, scope):
                for other in scopes_of(row.series):
                    inside[other] += row.amount
        # Its own excess: a young scope's expectation is raised to its siblings', which says nothing of it.
        able = [
            other
            for other, amount in inside.items()
            if amount >= needed and self._over(other, self._learned.scopes.get(other)) >= needed
        ]
        return min(able, key=lambda other: (_rank(other), -inside[other]), default=scope)

    def explains(self, known: DetectorScope, scope: DetectorScope) -> bool:
        """Whether what is known of one scope is the cause of the other's excess."""
        shared = sum(
            (row.amount for row in self._spent if within(row.series, known) and within(row.series, scope)),
            ZERO,
        )
        return shared >= FOLD_SHARE * self._excess(scope)

    def anomaly(self, scope: DetectorScope) -> Anomaly:
        expected = self._learned.of(scope)
        own = self._learned.scopes.get(scope, expected)
        per_minute = own.per_minute if own else ZERO
        before = self._all[scope] - self._now[scope] - per_minute
        began_before = self._learned.until < self._open and before >= BEGAN_SHARE * self._over(scope, own)
        return Anomaly(
            scope=scope,
            began_at=self._learned.until if began_before else self._open,
            expected_per_minute=per_minute,
            hot_per_minute=HOT_FACTOR * expected.per_minute if expected else ZERO,
        )

    def _excess(self, scope: DetectorScope) -> Decimal:
        return self._over(scope, self._learned.of(scope))

    def _over(self, scope: DetectorScope, expected: Expectation | None) -> Decimal:
        per_minute = expected.per_minute if expected else ZERO
        return max(
            self._all[scope] - per_minute * self._minutes,
            self._now[scope] - per_minute * self._open_minutes,
        )


def _minutes(duration: timedelta) -> Decimal:
    return Decimal(duration // timedelta(microseconds=1)) / 60_000_000


def _rank(scope: DetectorScope) -> tuple[int, str]:
    dimension, value = scope
    return (NAMING_ORDER.index(dimension) if dimension in NAMING_ORDER else len(NAMING_ORDER), value)


def _siblings(scopes: Mapping[DetectorScope, Expectation]) -> dict[str, Expectation]:
    by_dimension: defaultdict[str, list[Expectation]] = defaultdict(list)
    for (dimension, _), expected in scopes.items():
        by_dimension[dimension].append(expected)
    return {
        dimension: Expectation(
            per_minute=median([each.per_minute for each in known]),
            scale=median([each.scale for each in known]),
            gate=SCORE_MIN * median([each.scale for each in known]),
            minutes=max(each.minutes for each in known),
        )
        for dimension, known in by_dimension.items()
    }


def _timeline(
    minutes: Mapping[datetime, Sequence[tuple[Series, Tally]]], until: datetime, first_seen: datetime | None
) -> list[tuple[datetime, dict[DetectorScope, Tally]]]:
    """Every minute that counts as history, oldest first; a short silence is zeros, a long one is left out."""
    timeline: list[tuple[datetime, dict[DetectorScope, Tally]]] = []
    previous: datetime | None = None
    for minute in [*sorted(minutes), until]:
        whole = previous is not None and minute - previous <= GAP_MINUTES * MINUTE
        if whole:
            assert previous is not None
            silent = round((minute - previous) / MINUTE) - 1
            timeline += [(previous + (1 + number) * MINUTE, {}) for number in range(silent)]
        if minute < until:
            seen = Decimal(1) if whole else _seen_share(minute, first_seen)
            if seen >= COVERED_SHARE_MIN:
                timeline.append((minute, _tallies(minutes[minute], seen)))
            previous = minute
    return timeline


def _seen_share(minute: datetime, first_seen: datetime | None) -> Decimal:
    """How much of the minute after a silence was seen: known of a tenant's first one alone."""
    if first_seen is None or not minute <= first_seen < minute + MINUTE:
        return ZERO
    return _minutes(minute + MINUTE - first_seen)


def _tallies(rows: Sequence[tuple[Series, Tally]], seen: Decimal) -> dict[DetectorScope, Tally]:
    amounts: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    events: defaultdict[DetectorScope, int] = defaultdict(int)
    for series, tally in rows:
        for scope in scopes_of(series):
            amounts[scope] += tally.amount
            events[scope] += tally.events
    return {scope: Tally(amount / seen, events[scope]) for scope, amount in amounts.items()}
