"""One anomaly rule: a scope's open minute far over its own recent expectation. Pure, and replayable.

A scope is one value of one dimension, or the whole tenant. What it spends in the open minute (and in the one
that just closed, once there is enough history without it) must exceed its expectation by a multiple of its
own high minutes *and* by an amount that matters. Of what people know already only that part is left out which
they were told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.expectations import MATERIAL_AMOUNT, Expectation, Learned
from services.alerts.bursts.gates import RuleGate
from services.alerts.bursts.told import ACTIVE_MIN, SAME_SHARE, WHOLE_SHARE, ToldPaces, told_of
from services.alerts.scopes import NAMING_ORDER, TENANT, DetectorScope, Spent, minutes_of, scopes_of, within
from spendmeter.contracts.alert_rules import AlertRule, default_rule
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.series import Series

EVERYBODYS = (default_rule("burst"),)
"""The rules of a tenant that has changed none."""
FOLD_SHARE = Decimal("0.5")
"""A scope of whose excess this much lies within an anomaly of the same look is that anomaly."""
NAME_SHARE = Decimal("0.8")
BEGAN_SHARE = Decimal("0.25")
HOT_FACTOR = Decimal(2)
HOT_SHARE = Decimal("0.5")


@dataclass(frozen=True, kw_only=True)
class Known:
    """An anomaly that is open, or that people expect, and what they know of it."""

    scope: Mapping[str, str]
    began_at: datetime
    expected_per_minute: Decimal
    told: ToldPaces
    expected: bool = False
    """It is over, and people have said that it was expected: they know that its scope may spend so."""


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A scope that spends far more than expected; it began in the minute `began_at`."""

    scope: DetectorScope
    rule: AlertRule
    began_at: datetime
    expected_per_minute: Decimal
    """What the scope itself used to spend; where it is new, what its siblings do."""
    hot_per_minute: Decimal
    """It goes on for as long as the scope spends this much."""
    told: ToldPaces = field(default_factory=ToldPaces)
    """What people will know when they are told of it."""
    sure: bool = True
    """Among so many scopes chance hardly makes as much, or it is too much money to ask."""
    combination: Mapping[str, str] = field(default_factory=dict)
    """What explains it, and whose the money is, where that is narrower than the scope (`naming.py`)."""

    @property
    def values(self) -> Mapping[str, str]:
        """Whose money it is, by dimension; {} = all of the tenant's."""
        return self.combination or ({} if self.scope == TENANT else dict([self.scope]))


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A known anomaly that spends more than twice what was told, all of it or one scope in it."""

    scope: DetectorScope | None
    """None = all of it."""
    told: ToldPaces
    """What people will know when they are told of it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one look finds: anomalies that nobody was told of, and known ones, by their place, that grew."""

    new: Sequence[Anomaly] = ()
    grown: Mapping[int, Growth] = field(default_factory=dict)


def detect(
    spent: Sequence[Spent],
    learned: Learned,
    now: datetime,
    known: Sequence[Known],
    rules: Sequence[AlertRule] = EVERYBODYS,
) -> Found:
    """The scopes that are far over their expectation now, and over what was told, one for each cause.

    `spent`: the minutes from `learned.until` on. `rules`: those of bursts; without any, nothing is new.
    """
    test = _Test(spent, learned, now, known, rules)
    grown: dict[int, DetectorScope | None] = dict.fromkeys(test.outgrown())
    found = {test.scope_of(place): rules[0] for place in list(grown) if rules and known[place].expected}
    for scope, rule in test.crossing():
        cause = test.cause(scope)
        if (
            test.is_usual(cause)
            or test.is_known(cause)
            or any(test.explains(each, scope) or test.explains(each, cause) for each in found)
        ):
            continue
        place = test.part_of(cause)
        if place is None or known[place].expected:
            found[cause] = rule
        else:
            grown.setdefault(place, cause)
    return Found(
        new=[test.anomaly(cause, rule) for cause, rule in found.items()],
        grown={
            place: Growth(scope=scope, told=test.told(place))
            for place, scope in grown.items()
            if not known[place].expected
        },
    )


def is_hot(amount: Decimal, expected: Decimal, hot: Decimal) -> bool:
    """Whether an incident goes on: amounts of the minutes under test, by what was known at its opening."""
    return amount >= max(hot, expected + MATERIAL_AMOUNT * HOT_SHARE)


def owners(spent: Sequence[Spent], scopes: Sequence[Mapping[str, str]]) -> dict[Series, int | None]:
    """To which of these scopes each series' money belongs, by its place: of several to the smallest."""
    holders = {
        row.series: [place for place, scope in enumerate(scopes) if matches(row.series, scope)]
        for row in spent
    }
    amounts: defaultdict[int, Decimal] = defaultdict(Decimal)
    for row in spent:
        for place in holders[row.series]:
            amounts[place] += row.amount

    def size(place: int) -> tuple[Decimal, int]:
        return amounts[place], -len(scopes[place])

    return {series: min(places, key=size, default=None) for series, places in holders.items()}


class _Window:
    """Sums of the minutes from `start` to `now`: by scope, and of what belongs to each known anomaly."""

    def __init__(self, start: datetime, now: datetime) -> None:
        self.start, self.now = start, now
        self.minutes = minutes_of(now - start)
        self.sums: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
        self.owned: defaultdict[tuple[DetectorScope, int], Decimal] = defaultdict(Decimal)

    def add(self, row: Spent, owner: int | None) -> None:
        for scope in scopes_of(row.series):
            self.sums[scope] += row.amount
            if owner is not None:
                self.owned[scope, owner] += row.amount

    def active(self, began: datetime) -> Decimal:
        """For how many minutes of it something is going on that began then."""
        return max(ACTIVE_MIN, min(self.minutes, minutes_of(self.now - began)))


class _Test:
    """One look at the minutes under test."""

    def __init__(
        self,
        spent: Sequence[Spent],
        learned: Learned,
        now: datetime,
        known: Sequence[Known],
        rules: Sequence[AlertRule],
    ) -> None:
        self._learned, self._now, self._known = learned, now, known
        self._open = now.replace(second=0, microsecond=0)
        self._spent = [row for row in spent if learned.until <= row.minute <= self._open]
        self._scopes = {next(iter(each.scope.items()), TENANT) for each in known if len(each.scope) < 2}
        self._all, self._last = _Window(learned.until, now), _Window(self._open, now)
        self._owner = owners(self._spent, [each.scope for each in known])
        for row in self._spent:
            self._all.add(row, self._owner[row.series])
            if row.minute == self._open:
                self._last.add(row, self._owner[row.series])
        self._gates = [RuleGate(rule, learned, self._spent) for rule in rules]
        self._material = min((gate.amount for gate in self._gates), default=MATERIAL_AMOUNT)

    def crossing(self) -> list[tuple[DetectorScope, AlertRule]]:
        """Scopes whose untold excess is past both gates of a rule, the largest first."""
        if TENANT not in self._learned.scopes:
            return []  # nothing is known yet, so nothing is unexpected
        crossing = []
        for scope in self._all.sums:
            expected = self._learned.of(scope)
            if expected is None:
                continue
            if self._rule(scope, expected, self._over(scope, expected.per_minute)) is None:
                continue  # most scopes: what is told need not be looked at
            untold = self._untold(scope, expected.per_minute)
            if (rule := self._rule(scope, expected, untold)) is not None:
                crossing.append((-untold, _rank(scope), scope, rule))
        return [(scope, rule) for *_, scope, rule in sorted(crossing, key=lambda each: each[:2])]

    def _rule(self, scope: DetectorScope, expected: Expectation, excess: Decimal) -> AlertRule | None:
        """The first rule by which such an excess of the scope is news; None = by none."""
        all_of_it = self._all.sums[scope]
        return next(
            (gate.rule for gate in self._gates if gate.passes(scope, expected, excess, all_of_it)), None
        )

    def outgrown(self) -> list[int]:
        """Places of known anomalies that, without what others hold, spend more than twice what was told."""
        return [
            place
            for place, known in enumerate(self._known)
            if known.told.own > 0
            and self._own(self._all, place) - (told := known.told.own * self._all.active(known.began_at))
            > max(self._material, told)
        ]

    def scope_of(self, place: int) -> DetectorScope:
        """The scope of a known anomaly."""
        return next(iter(self._known[place].scope.items()), TENANT)

    def is_known(self, scope: DetectorScope) -> bool:
        """Whether it is the very scope of a known anomaly: `outgrown` says whether that is news."""
        return scope in self._scopes

    def is_usual(self, scope: DetectorScope) -> bool:
        """Whether all that it spends now it usually does at this hour."""
        expected = self._learned.of(scope)
        return expected is not None and ZERO < self._untold(scope, expected.per_minute) <= expected.room

    def part_of(self, scope: DetectorScope) -> int | None:
        """The known anomaly of which the scope was a part when it was told: it is the same cause."""
        per_minute = self._usual(scope)
        for place, known in enumerate(self._known):
            pace = known.told.of(scope)
            if not SAME_SHARE * known.told.own <= pace < WHOLE_SHARE * known.told.own:
                continue
            for window in (self._all, self._last):
                over = window.owned[scope, place] - per_minute * window.minutes
                untold = over - self._told(window, scope, place, per_minute)
                if untold > 0 and untold >= FOLD_SHARE * self._untold_in(window, scope, per_minute):
                    return place
        return None

    def told(self, place: int) -> ToldPaces:
        """What people know of a known anomaly when they are told of it now."""
        known = self._known[place]
        rows = [row for row in self._spent if self._owner[row.series] == place]
        usual = known.expected_per_minute
        return told_of(known.scope, rows, self._learned, usual=usual, began=known.began_at, now=self._now)

    def cause(self, scope: DetectorScope) -> DetectorScope:
        """The most telling scope that holds nearly all of the excess, `scope` itself if no other does."""
        needed = NAME_SHARE * self._untold(scope, self._usual(scope))
        inside: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
        for row in self._spent:
            if within(row.series, scope):
                for other in scopes_of(row.series):
                    inside[other] += row.amount
        # Its own excess: a young scope's expectation is raised to its siblings', which says nothing of it.
        able = [
            other
            for other, amount in inside.items()
            if amount >= needed and self._untold(other, self._own_usual(other)) >= needed
        ]
        return min(able, key=lambda other: (_rank(other), -inside[other]), default=scope)

    def explains(self, found: DetectorScope, scope: DetectorScope) -> bool:
        """Whether what was just found is the cause of the other's excess."""
        shared = sum(
            (row.amount for row in self._spent if within(row.series, found) and within(row.series, scope)),
            ZERO,
        )
        return shared >= FOLD_SHARE * self._untold(scope, self._usual(scope))

    def anomaly(self, scope: DetectorScope, rule: AlertRule) -> Anomaly:
        expected = self._learned.of(scope)
        own = self._learned.scopes.get(scope, expected)
        per_minute = own.per_minute if own else ZERO
        before = self._all.sums[scope] - self._last.sums[scope] - per_minute
        over = self._over(scope, per_minute)
        began_before = self._learned.until < self._open and before >= BEGAN_SHARE * over
        began = self._learned.until if began_before else self._open
        named = {} if scope == TENANT else dict([scope])
        return Anomaly(
            scope=scope,
            rule=rule,
            began_at=began,
            expected_per_minute=per_minute,
            hot_per_minute=HOT_FACTOR * expected.per_minute if expected else ZERO,
            told=told_of(named, self._spent, self._learned, usual=per_minute, began=began, now=self._now),
            sure=self._learned.is_sure(scope, over),
        )

    def _usual(self, scope: DetectorScope) -> Decimal:
        expected = self._learned.of(scope)
        return expected.per_minute if expected else ZERO

    def _own_usual(self, scope: DetectorScope) -> Decimal:
        own = self._learned.scopes.get(scope)
        return own.per_minute if own else ZERO

    def _over(self, scope: DetectorScope, per_minute: Decimal) -> Decimal:
        return max(each.sums[scope] - per_minute * each.minutes for each in (self._all, self._last))

    def _untold(self, scope: DetectorScope, per_minute: Decimal) -> Decimal:
        return max(self._untold_in(window, scope, per_minute) for window in (self._all, self._last))

    def _untold_in(self, window: _Window, scope: DetectorScope, per_minute: Decimal) -> Decimal:
        told = (self._told(window, scope, place, per_minute) for place in range(len(self._known)))
        return window.sums[scope] - per_minute * window.minutes - sum(told, ZERO)

    def _told(self, window: _Window, scope: DetectorScope, place: int, per_minute: Decimal) -> Decimal:
        """How much of the scope's excess people know by one anomaly; where that has doubled, what it was."""
        known = self._known[place]
        owned = window.owned.get((scope, place), ZERO)
        usual = min(per_minute, known.expected_per_minute) * window.minutes
        if owned <= usual:
            return ZERO
        excess, pace = owned - usual, known.told.of(scope)
        if pace >= WHOLE_SHARE * known.told.own:
            return excess
        active = window.active(known.began_at)
        # Where all of it grows, its parts do: that is told of the whole.
        rest, rest_told = self._own(window, place) - excess, (known.told.own - pace) * active
        told = pace * active * max(Decimal(1), rest / rest_told if rest_told > 0 else Decimal(1))
        return excess if excess <= 2 * told else told

    def _own(self, window: _Window, place: int) -> Decimal:
        """What a known anomaly spends over what is usual, without what others hold of it."""
        return (
            window.owned.get((TENANT, place), ZERO) - self._known[place].expected_per_minute * window.minutes
        )


def _rank(scope: DetectorScope) -> tuple[int, str]:
    dimension, value = scope
    return (NAMING_ORDER.index(dimension) if dimension in NAMING_ORDER else len(NAMING_ORDER), value)
