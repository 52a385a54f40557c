"""One anomaly rule: a scope's open minute far over its own recent expectation. Pure, and replayable.

A scope is one value of one dimension, or the whole tenant. What it spends in the open minute (and in the one
that just closed, once there is enough history without it) must exceed its expectation by a multiple of its
own high minutes *and* by an amount that matters.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.bursts.expectations import Expectation, Learned
from services.alerts.scopes import NAMING_ORDER, TENANT, DetectorScope, Spent, minutes_of, scopes_of, within
from spendmeter.contracts.money import ZERO

RULE = "minute-burst"
RULE_NAME = "Spend far over expectation"
RULE_REVISION = 1
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


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """A scope that spends far more than expected; it began in the minute `began_at`."""

    scope: DetectorScope
    began_at: datetime
    expected_per_minute: Decimal
    """What the scope itself used to spend; where it is new, what its siblings do."""
    hot_per_minute: Decimal
    """It goes on for as long as the scope spends this much."""


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
        self._minutes = minutes_of(now - learned.until)
        self._open_minutes = minutes_of(now - self._open)
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


def _rank(scope: DetectorScope) -> tuple[int, str]:
    dimension, value = scope
    return (NAMING_ORDER.index(dimension) if dimension in NAMING_ORDER else len(NAMING_ORDER), value)
