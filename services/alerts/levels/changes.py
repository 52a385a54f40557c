"""Scopes whose complete days lie lastingly above what people know of: what the rule `shift` tells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.alerts.levels.days import DAY, LevelDays
from services.alerts.levels.lasting import DAYS_MAX, Lasting, held_against, most_lasting
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO, divided, total

FALSE_ALARMS_A_DAY = 1 / 90
"""Of a tenant, all its scopes together: chance alone makes one in three months, and days that are less even
than chance one a month at most (`python -m tests.benchmarks.levels`)."""
GLANCES = (2, 7, 14, 28)
"""Only what is over the gates in one of these is looked at closely."""
ALWAYS_SHARE = Decimal("0.1")
ALWAYS_CHANCE = 0.01
"""What has come to so much of the tenant's last four weeks is told, though chance may make as much."""
KNOWN_DAYS = DAYS_MAX
"""For so long a level that was told is what a scope is held against: then all its weeks have it."""


class ToldLevel(NamedTuple):
    """A level that people know of, by an incident that is open or was accepted."""

    scope: DetectorScope
    since: date
    usual: Decimal
    """A day, before."""
    per_day: Decimal
    excess: Decimal
    """A day: what was told."""
    is_open: bool
    leads: bool
    """It was told itself, and not with another."""


@dataclass(frozen=True, kw_only=True)
class LevelChange:
    """A scope that rose; amounts at today's prices."""

    scope: DetectorScope
    lasting: Lasting
    since: date

    @property
    def usual(self) -> Decimal:
        """A day: what it cost before, or the level that people know of."""
        return self.lasting.usual_per_day

    @property
    def excess(self) -> Decimal:
        """A day."""
        return EXACT.subtract(self.lasting.per_day, self.usual)

    @property
    def ratio(self) -> Decimal | None:
        """None = nothing was usual."""
        return divided(self.lasting.per_day, self.usual) if self.usual > 0 else None


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What a rule asks of a rise, in money."""

    amount: Decimal
    """A day."""
    ratio: Decimal

    @classmethod
    def of(cls, rule: AlertRule, tenant_per_day: Decimal) -> Gates:
        """Of a rule, for a tenant that spends so much a day."""
        share = EXACT.multiply(rule.number("share_min"), tenant_per_day)
        return cls(amount=max(rule.number("amount_min"), share), ratio=rule.number("ratio_min"))

    def let(self, per_day: Decimal, usual: Decimal) -> bool:
        """Whether days of `per_day` are far enough over `usual`."""
        over = EXACT.subtract(per_day, usual)
        return over >= self.amount and per_day >= EXACT.multiply(self.ratio, usual)


def watches(rule: AlertRule, scope: DetectorScope) -> bool:
    """Whether a rule is about a scope: without a filter about all of them, with one about that."""
    return not rule.filter or dict(rule.filter) == {scope[0]: scope[1]}


def change_of(
    scope: DetectorScope, days: LevelDays, gates: Gates, told: ToldLevel | None, whole: Decimal, scopes: int
) -> LevelChange | None:
    """The scope's rise, if it is news: over both gates, beyond chance among `scopes` of the tenant, and going
    on. `told`: the level that people know of; `whole`: what the tenant spent in the last four weeks."""
    amounts = _as_told(days.worth_of(scope), days.last, told)
    if not _may_have_risen(amounts, gates):
        return None
    held = most_lasting(amounts)
    if held is None or not held.goes_on or not gates.let(held.per_day, held.usual_per_day):
        return None
    over = EXACT.subtract(held.amount, held.expected)
    sure = held.chance * scopes <= FALSE_ALARMS_A_DAY
    large = over >= EXACT.multiply(ALWAYS_SHARE, whole) and held.chance <= ALWAYS_CHANCE
    if not (sure or large):
        return None
    since = days.last - (held.days - 1) * DAY
    return LevelChange(scope=scope, lasting=held, since=since)


def changes_of(
    rule: AlertRule, days: LevelDays, told: Mapping[DetectorScope, ToldLevel]
) -> Iterable[LevelChange | None]:
    """One after the other, None where nothing is news: each takes about a millisecond."""
    watched = [scope for scope in days.by_scope if watches(rule, scope)]
    gates = Gates.of(rule, days.tenant_per_day())
    whole = total(days.worth_of(TENANT)[-28:])
    for scope in watched:
        yield change_of(scope, days, gates, told.get(scope), whole, len(watched))


def whole_excess(days: LevelDays, lasts: int) -> Decimal:
    """By how much the tenant's last days are over what is usual, a day."""
    held = held_against(days.worth_of(TENANT), lasts)
    return max(ZERO, EXACT.subtract(held.per_day, held.usual_per_day)) if held is not None else ZERO


def _as_told(amounts: list[Decimal], last: date, told: ToldLevel | None) -> list[Decimal]:
    """The same days, those before a level that people know of raised to it: it is what is usual now."""
    if told is None or told.usual <= 0:
        return amounts
    raised = max(Decimal(1), divided(told.per_day, told.usual))
    before = max(0, len(amounts) - (last - told.since).days - 1)
    return [EXACT.multiply(amount, raised) for amount in amounts[:before]] + amounts[before:]


def _may_have_risen(amounts: Sequence[Decimal], gates: Gates) -> bool:
    for lasts in GLANCES:
        held = held_against(amounts, lasts)
        if held is not None and gates.let(held.per_day, held.usual_per_day):
            return True
    return False
