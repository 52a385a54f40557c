"""Budgets that run out long before their period, at the pace of now. Pure.

A pace is money over what the rest of the budget would last for: in a window the budget can bear the window's
share of what is left of the period, by weekday and hour (`forecasts/profile.py`), or by the clock where that
is more: what is usually silent at night is held against an even spread. Two windows must say so, the short
one that it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.alerts.budgets.budgets import Budget, trouble
from services.alerts.counting.counters import CounterSum
from services.alerts.forecasts.profile import Profile, spread
from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    episode_of,
    opened,
    with_figures,
)
from services.alerts.rates import per_hour
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import IncidentSeverity
from spendmeter.contracts.money import EXACT, ZERO, divided, plain
from spendmeter.contracts.terms import Timeline

RULE = "burn:"
"""Before a budget's id: the rule of its burn's incidents, beside those of what was spent."""
LAST_SHARE = 20
"""In the last 1/20 of a period nothing burns: whatever is spent then is much of what is left."""
TOLD_LATELY = timedelta(hours=1)
"""A threshold of the budget that was told so lately says it already."""
REST = timedelta(hours=6)
"""What was over is told again after so long at the earliest, unless it is worse."""
CALM = Decimal("0.5")
"""It is over once no pair of windows burns half as fast as it would have to, to be told."""
CALMED = "it goes no faster than its period lasts"


class BurnPair(NamedTuple):
    """Two windows that must both burn, and the setting that says how fast."""

    setting: str
    long: timedelta
    short: timedelta
    severity: IncidentSeverity


PAIRS = (
    BurnPair("fast_ratio", timedelta(hours=1), timedelta(minutes=5), "critical"),
    BurnPair("slow_ratio", timedelta(hours=6), timedelta(minutes=30), "critical"),
    BurnPair("day_ratio", timedelta(days=1), timedelta(hours=2), "warning"),
)
"""The worst first."""


@dataclass(frozen=True, kw_only=True)
class Burning:
    """A budget that burns."""

    pair: BurnPair
    times: Decimal
    """The pace of the long window, in times what the rest of the budget can bear."""
    rate_per_hour: Decimal
    """Of the long window."""
    runs_out: datetime


@dataclass(frozen=True, kw_only=True)
class BudgetPace:
    """A budget, its open period, and what it has come to at `now`."""

    budget: Budget
    bounds: tuple[datetime, datetime]
    now: datetime
    zone: ZoneInfo
    spent: CounterSum
    profile: Profile = field(default_factory=Profile)

    @property
    def left(self) -> Decimal:
        return EXACT.subtract(self.budget.amount, self.spent.effective)

    @property
    def judged(self) -> bool:
        """Whether a pace says anything: something is left, and it is not the period's very end."""
        start, end = self.bounds
        return self.left > 0 and (end - self.now) * LAST_SHARE > end - start

    @cached_property
    def ahead(self) -> float:
        """What is left of the period, in usual days."""
        return spread(self.profile, self.zone, self.now, self.bounds[1])

    def bearable(self, window: timedelta) -> Decimal:
        """What the rest of the budget can bear in a window that ends now."""
        within = spread(self.profile, self.zone, self.now - window, self.now)
        return max(self.by_the_clock(window), self._part(within / self.ahead if self.ahead > 0 else 0.0))

    def by_the_clock(self, window: timedelta) -> Decimal:
        """The same, were it spent evenly: no more than it can bear, and soon worked out."""
        return self._part(window / (self.bounds[1] - self.now))

    def pairs(self) -> list[BurnPair]:
        """Those whose long window lies in the period."""
        return [pair for pair in PAIRS if self.now - self.bounds[0] >= pair.long] if self.judged else []

    def asked(self, rule: AlertRule, factor: Decimal = Decimal(1)) -> Iterator[tuple[BurnPair, Decimal]]:
        """The pairs, the worst first, and how many times as fast as it can bear each has to burn; `factor`
        of what the rule says."""
        for pair in self.pairs():
            yield pair, EXACT.multiply(rule.number(pair.setting), factor)

    def _part(self, share: float) -> Decimal:
        return EXACT.multiply(self.left, Decimal(f"{share:.9f}"))


def may_burn(pace: BudgetPace, pair: BurnPair, at_most: Mapping[timedelta, Decimal], needed: Decimal) -> bool:
    """Whether the windows have to be read: `at_most` is what was spent in each, or more."""
    return all(
        at_most[window] >= EXACT.multiply(needed, borne(window))
        for borne in (pace.by_the_clock, pace.bearable)
        for window in (pair.long, pair.short)
    )


def burning(
    pace: BudgetPace, pair: BurnPair, spent: Mapping[timedelta, Decimal], needed: Decimal
) -> Burning | None:
    """Whether it burns `needed` times as fast as it can bear, in both windows, and runs out in its period."""
    if not may_burn(pace, pair, spent, needed) or spent[pair.long] <= 0:
        return None
    seconds = divided(EXACT.multiply(pace.left, Decimal(int(pair.long.total_seconds()))), spent[pair.long])
    runs_out = pace.now + timedelta(seconds=int(min(seconds, Decimal(10**9))))
    if runs_out >= pace.bounds[1]:
        return None
    bearable = pace.bearable(pair.long)
    times = divided(spent[pair.long], bearable) if bearable > 0 else needed
    rate = per_hour(spent[pair.long], pair.long)
    return Burning(pair=pair, times=times, rate_per_hour=rate, runs_out=runs_out)


def worst_burn(
    pace: BudgetPace, rule: AlertRule, spent: Mapping[timedelta, Decimal], factor: Decimal = Decimal(1)
) -> Burning | None:
    """As the worst pair says, where all windows are known."""
    found = (burning(pace, pair, spent, needed) for pair, needed in pace.asked(rule, factor))
    return next(filter(None, found), None)


class BurnEnd(NamedTuple):
    """A budget's period of whose burn people were told, and when that was over; None = it is not."""

    rule_id: str
    period_start: datetime
    resolved_at: datetime | None
    severity: IncidentSeverity


def rule_of(rules: Sequence[AlertRule], budget: Budget) -> AlertRule | None:
    """Of the rules whose filter the budget's has the most particular one."""
    ours = [rule for rule in rules if rule.filter.items() <= budget.filter.items()]
    return max(ours, key=lambda rule: len(rule.filter), default=None)


WatchedBudget = tuple[Budget, tuple[datetime, datetime], AlertRule]
"""With its open period, and the rule that it obeys."""


def watched(
    budgets: Iterable[Budget], rules: Sequence[AlertRule], calendar: Timeline, now: datetime
) -> list[WatchedBudget]:
    """Budgets that have a period now which can burn."""
    return [
        (budget, bounds, rule)
        for budget in budgets
        if not (budget.rolls or budget.each)
        and not trouble(budget, budget.currency_of(calendar, now))
        and (bounds := budget.bounds(now, calendar)) is not None
        and budget.has(bounds)
        and (rule := rule_of(rules, budget)) is not None
    ]


def to_open(
    seen: Sequence[tuple[AlertRule, BudgetPace, Burning]],
    current: Sequence[Incident],
    ended: Sequence[BurnEnd],
) -> list[Incident]:
    """Incidents of budgets that burn; of one that is open, and burns worse than was told, the same again."""
    proposed = []
    for rule, pace, burn in seen:
        known = next((one for one in current if one.state != "resolved" and _is_of(one, pace)), None)
        if known is not None:
            if known.severity == "warning" and burn.pair.severity == "critical":
                worse = replace(renewed(known, pace, burn), severity="critical", number=known.number + 1)
                proposed.append(worse)
        elif not _was_told_lately(pace, current) and not _rests(pace, burn, ended):
            proposed.append(_incident(rule, pace, burn))
    return proposed


def renewed(incident: Incident, pace: BudgetPace, burn: Burning | None) -> Incident:
    """The incident with what was spent by now; `burn`: as it burns now, None = less than was told."""
    details = dict(incident.details)
    if burn is not None:
        details |= _details(pace, burn)
    rate = burn.rate_per_hour if burn is not None else ZERO
    return with_figures(replace(incident, details=details), _figures(pace, rate), pace.now)


def ending(incident: Incident, paces: Mapping[tuple[str, int], BudgetPace], now: datetime) -> str:
    """Why an incident is over, whatever burns; '' = it is not. `paces` by budget and revision. That it
    is used up, as was foretold, is no end."""
    assert incident.period_end is not None
    pace = paces.get((incident.details["budget"], incident.details["revision"]))
    if now >= incident.period_end:
        return "its period is over"
    return "the budget or the rule was changed or deleted" if pace is None else ""


def _incident(rule: AlertRule, pace: BudgetPace, burn: Burning) -> Incident:
    budget = pace.budget
    return opened(
        pace.now,
        _figures(pace, burn.rate_per_hour),
        tenant=budget.tenant,
        kind="burn",
        rule_id=RULE + budget.id,
        rule_revision=rule.revision,
        rule_name=budget.name,
        scope=dict(budget.filter),
        period_start=pace.bounds[0],
        period_end=pace.bounds[1],
        episode=episode_of(pace.now),
        threshold_percent=EXACT.multiply(rule.number(burn.pair.setting), Decimal(100)),
        severity=burn.pair.severity if rule.severity == "critical" else rule.severity,
        began_at=pace.now - burn.pair.long,
        currency=budget.currency,
        details=_details(pace, burn),
    )


def _figures(pace: BudgetPace, rate: Decimal) -> IncidentFigures:
    return IncidentFigures(
        amount=pace.spent.effective,
        expected=pace.budget.amount,
        rate_per_hour=rate,
        expected_per_hour=per_hour(max(pace.left, ZERO), pace.bounds[1] - pace.now),
        of_which_provisional=pace.spent.provisional,
    )


def _details(pace: BudgetPace, burn: Burning) -> dict[str, str | int]:
    return {
        "budget": pace.budget.id,
        "revision": pace.budget.revision,
        "times": plain(burn.times),
        "hours": int(burn.pair.long.total_seconds()) // 3600,
        "runs_out": burn.runs_out.isoformat(),
        "left": plain(pace.left),
    }


def _is_of(incident: Incident, pace: BudgetPace) -> bool:
    return incident.kind == "burn" and (incident.rule_id, incident.period_start) == (
        RULE + pace.budget.id,
        pace.bounds[0],
    )


def _was_told_lately(pace: BudgetPace, current: Sequence[Incident]) -> bool:
    return any(
        one.kind == "budget"
        and (one.rule_id, one.period_start) == (pace.budget.id, pace.bounds[0])
        and pace.now - one.opened_at < TOLD_LATELY
        for one in current
    )


def _rests(pace: BudgetPace, burn: Burning, ended: Sequence[BurnEnd]) -> bool:
    """Whether it was over a while ago, and is no worse than then."""
    return any(
        (end.rule_id, end.period_start) == (RULE + pace.budget.id, pace.bounds[0])
        and (end.resolved_at is None or pace.now - end.resolved_at < REST)
        and (end.severity == "critical" or burn.pair.severity != "critical")
        for end in ended
    )
