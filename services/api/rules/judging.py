"""How good a rule is, by what people made of its incidents, and which gate would be better. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import median_low
from typing import Literal

from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import EVENTS
from spendmeter.contracts.money import EXACT, ZERO, divided

JUDGED_MIN = 5
"""Incidents that people have acknowledged or judged: of fewer nothing follows."""
PRECISION_MIN = Decimal("0.5")
"""A rule of whose incidents fewer than so many were worth telling is proposed a higher gate."""
SPARED_SHARE = Decimal("0.8")
"""Of those that were not worth it, so many are to be below the gate."""


@dataclass(frozen=True, kw_only=True)
class JudgedIncident:
    """One incident, and what people made of it: expected, a false alarm, or (None) neither."""

    opened_at: datetime
    repeats: int
    told: bool
    currency: str
    money: Decimal
    acknowledged_at: datetime | None
    says: Literal["expected", "false_alarm"] | None

    @property
    def was_worth_it(self) -> bool:
        """Somebody took it in hand, and did not say that there was nothing to do."""
        return self.acknowledged_at is not None and self.says is None


@dataclass(frozen=True, kw_only=True)
class RuleRecord:
    """What came of a rule in some days; `precision`: the share that was worth telling, None = too few say."""

    days: int
    incidents: int
    per_day: Decimal
    kept: int
    acknowledged: int
    acknowledged_after_s: int | None
    expected: int
    false_alarm: int
    without_feedback: int
    precision: Decimal | None
    repeats: int
    money: dict[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class GateProposal:
    """A higher `setting`: `spares` of the `noise` came to no more than that in all, so none would have been
    told; of the others `keeps` came to more."""

    setting: str
    now: Decimal
    value: Decimal
    noise: int
    spares: int
    keeps: int


def record_of(incidents: Sequence[JudgedIncident], days: int, now: datetime) -> RuleRecord:
    """What came of a rule in the last `days`."""
    recent = [each for each in incidents if each.opened_at >= now - timedelta(days=days)]
    told = [each for each in recent if each.told]
    waits = [
        round((each.acknowledged_at - each.opened_at).total_seconds())
        for each in told
        if each.acknowledged_at is not None
    ]
    money: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in told:
        if each.currency != EVENTS:
            money[each.currency] = EXACT.add(money[each.currency], each.money)
    says = [each.says for each in told]
    return RuleRecord(
        days=days,
        incidents=len(told),
        per_day=round(divided(Decimal(len(told)), Decimal(days)), 2),
        kept=len(recent) - len(told),
        acknowledged=len(waits),
        acknowledged_after_s=median_low(waits) if waits else None,
        expected=says.count("expected"),
        false_alarm=says.count("false_alarm"),
        without_feedback=says.count(None),
        precision=precision_of(told),
        repeats=sum(each.repeats for each in told),
        money=dict(money),
    )


def precision_of(told: Sequence[JudgedIncident]) -> Decimal | None:
    """Of those that people looked at, the share that was worth telling; None = they were too few."""
    worth = sum(each.was_worth_it for each in told)
    judged = worth + sum(each.says is not None for each in told)
    return round(divided(Decimal(worth), Decimal(judged)), 2) if judged >= JUDGED_MIN else None


def proposal_of(rule: AlertRule, incidents: Sequence[JudgedIncident], currency: str) -> GateProposal | None:
    """The gate in money that would have spared people most, of a rule that is often wrong; None = it is
    not, or no gate tells them apart. `currency`: in which the rule's amounts are."""
    told = [each for each in incidents if each.told and each.currency == currency]
    precision = precision_of(told)
    if precision is None or precision >= PRECISION_MIN or "amount_min" not in rule.settings:
        return None
    noise = sorted(each.money for each in told if each.says is not None)
    worth = [each.money for each in told if each.was_worth_it]
    value = _two_digits(noise[int(SPARED_SHARE * (len(noise) - 1))], ROUND_CEILING)
    if worth and value >= min(worth):
        value = _two_digits(min(worth), ROUND_FLOOR)
    now, spares = rule.number("amount_min"), sum(money <= value for money in noise)
    if value <= now or not spares:
        return None
    keeps = sum(money > value for money in worth)
    return GateProposal(
        setting="amount_min", now=now, value=value, noise=len(noise), spares=spares, keeps=keeps
    )


def _two_digits(amount: Decimal, rounding: str) -> Decimal:
    """As people set a gate: 1,234 is 1,200 or 1,300."""
    if amount <= ZERO:
        return ZERO
    return amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1), rounding=rounding)
