"""A rule of burns, replayed over what one budget came to: the functions that watch, fed with what was. Pure.

A budget is judged at the end of each five minutes, where the watch looks every 20 seconds: its windows are
whole steps. Its own thresholds are told on the way, for what they have told within the hour does not burn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.budgets.breaches import budget_incident
from services.alerts.budgets.budgets import Budget, highest_breach
from services.alerts.burns.burns import (
    CALM,
    CALMED,
    PAIRS,
    BudgetPace,
    BurnEnd,
    Burning,
    WatchedBudget,
    ending,
    to_open,
    watched,
    worst_burn,
)
from services.alerts.counting.counters import CounterSum
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.forecasts.profile import Profile
from services.alerts.incidents.incident import Incident, IncidentFigures, resolved
from services.alerts.rates import over
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.contracts.terms import Timeline

STEP = timedelta(minutes=5)
END = timedelta(milliseconds=1)
"""Before the next step begins all of this one was spent."""
WINDOWS = sorted({window for pair in PAIRS for window in (pair.long, pair.short)})
SHORT = max(pair.short for pair in PAIRS)
"""Where nothing was spent for so long nothing burns."""


class LastWindows:
    """What was spent in each of WINDOWS, which end with the last step."""

    def __init__(self) -> None:
        self._sums = deque([ZERO], maxlen=WINDOWS[-1] // STEP + 1)
        """From the beginning up to each step."""

    def add(self, amount: Decimal) -> None:
        """The next step."""
        self._sums.append(EXACT.add(self._sums[-1], amount))

    def of(self, window: timedelta) -> Decimal:
        """Less where there were fewer steps."""
        steps = min(window // STEP, len(self._sums) - 1)
        return EXACT.subtract(self._sums[-1], self._sums[-1 - steps])

    def all(self) -> Mapping[timedelta, Decimal]:
        """By their length."""
        return {window: self.of(window) for window in WINDOWS}


@dataclass
class _ToldBurn:
    """`excess`: what was spent since the window that showed it, over what could be borne as it was told."""

    incident: Incident
    borne: Decimal
    """In a step."""
    excess: Decimal
    most: Decimal = ZERO
    """What the excess came to: what is used up stays open, with nothing spent."""

    def add(self, live: Decimal) -> None:
        """What was spent in the next step."""
        self.excess = EXACT.add(self.excess, EXACT.subtract(live, self.borne))
        self.most = max(self.most, self.excess)


class BurnReplay:
    """`step` for each five minutes, without a gap; then `fired`.

    `before`: what the budget's period had come to when the first step began. `profiles`: by local day, when
    its scope usually spent as was known then. What opened before `counted_from` only teaches.
    """

    def __init__(
        self,
        budget: Budget,
        rule: AlertRule,
        calendar: Timeline,
        *,
        before: Decimal,
        profiles: Mapping[date, Profile],
        counted_from: datetime,
    ) -> None:
        self._budget, self._rule, self._calendar = budget, rule, calendar
        self._profiles, self._counted_from = profiles, counted_from
        self._spent, self._windows = before, LastWindows()
        self._watched: WatchedBudget | None = None
        self._looked_until: datetime | None = None
        """Whether the budget is watched is known up to then."""
        self._thresholds: list[Incident] = []
        """Of this period that were told."""
        self._burns: list[_ToldBurn] = []
        self._ended: list[BurnEnd] = []

    def step(self, end: datetime, spent: Decimal, live: Decimal) -> None:
        """What was `spent` within the filter in the five minutes before `end`; `live`: by no bill, and less
        what corrections added."""
        now = end - END
        self._windows.add(live)
        self._roll(now)
        self._spent = EXACT.add(self._spent, spent)
        if self._watched is not None and spent:
            self._tell_threshold(now)
        if self._open is not None or (self._watched is not None and self._windows.of(SHORT) > 0):
            self._judge(now, live)

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with what was spent beyond what could be borne, at most."""
        return [
            WouldHaveFired(
                scope={"budget": self._budget.name, **burn.incident.scope},
                at=burn.incident.opened_at,
                amount=burn.most,
                messages=burn.incident.number + 1,
            )
            for burn in self._burns
            if burn.incident.opened_at >= self._counted_from
        ]

    @property
    def _open(self) -> _ToldBurn | None:
        return self._burns[-1] if self._burns and self._burns[-1].incident.state != "resolved" else None

    def _roll(self, now: datetime) -> None:
        """Into the next period, where the last one is over."""
        if self._looked_until is not None and now < self._looked_until:
            return
        is_first = self._looked_until is None
        self._watched = next(iter(watched([self._budget], [self._rule], self._calendar, now)), None)
        bounds = self._watched[1] if self._watched else None
        self._looked_until = bounds[1] if bounds else self._calendar.bounds("day", now)[1]
        if not is_first:
            self._spent, self._thresholds = ZERO, []
        elif bounds:
            self._tell_threshold(bounds[0])

    def _tell_threshold(self, now: datetime) -> None:
        assert self._watched is not None
        budget, bounds, _ = self._watched
        told = [each.threshold_percent or ZERO for each in self._thresholds]
        if (threshold := highest_breach(self._spent, budget, told)) is not None:
            figures = IncidentFigures(amount=self._spent, expected=budget.amount)
            self._thresholds.append(budget_incident(budget, bounds, threshold, figures, now))

    def _judge(self, now: datetime, live: Decimal) -> None:
        pace, told = self._pace(now), self._open
        if told is not None:
            paces = {(pace.budget.id, pace.budget.revision): pace} if pace else {}
            if why := ending(told.incident, paces, now):
                self._end(told, why, now)
                told = None
            else:
                told.add(live)
        if pace is None:
            return
        spent = self._windows.all()
        if burn := worst_burn(pace, self._rule, spent):
            self._tell(pace, burn, spent[burn.pair.long])
        elif told is not None and pace.judged and worst_burn(pace, self._rule, spent, CALM) is None:
            self._end(told, CALMED, now)

    def _tell(self, pace: BudgetPace, burn: Burning, spent: Decimal) -> None:
        told = self._open
        current = [*self._thresholds, *([told.incident] if told else [])]
        for incident in to_open([(self._rule, pace, burn)], current, self._ended):
            if told is not None:
                told.incident = incident
            else:
                per_hour = incident.expected_per_hour
                excess = EXACT.subtract(spent, over(per_hour, burn.pair.long))
                self._burns.append(_ToldBurn(incident, over(per_hour, STEP), excess, most=max(ZERO, excess)))

    def _end(self, told: _ToldBurn, why: str, now: datetime) -> None:
        incident = told.incident = resolved(told.incident, why, now)
        assert incident.period_start is not None
        self._ended.append(BurnEnd(incident.rule_id, incident.period_start, now, incident.severity))

    def _pace(self, now: datetime) -> BudgetPace | None:
        if self._watched is None:
            return None
        budget, bounds, _ = self._watched
        zone: ZoneInfo = self._calendar.at(now).zone
        return BudgetPace(
            budget=budget, bounds=bounds, now=now, zone=zone, spent=CounterSum(self._spent, ZERO),
            profile=self._profiles.get(now.astimezone(zone).date(), Profile()),
        )  # fmt: skip
