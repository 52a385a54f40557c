"""What follows from one look at one tenant: what to open, what has new figures, what is over. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from services.alerts.anomalies import Learned, detect, is_hot, within
from services.alerts.budgets import Budget, Calendar, highest_breach, matches
from services.alerts.incidents import (
    HOUR,
    MICROSECOND,
    Figures,
    Incident,
    anomaly_incident,
    budget_incident,
    per_hour,
    scope_of,
    told,
    top_contributor,
)
from services.alerts.spend import Money, Spend
from spendmeter.contracts.money import EXACT, divided, quantised, total
from spendmeter.contracts.series import Series

QUIET = timedelta(minutes=5)
"""An anomaly is over when its scope was not hot for so long."""
LASTING = timedelta(days=1)
CLOSING = timedelta(minutes=5)
"""A budget's period is watched for so long after its end: its last events are booked after they are over."""
UPDATE_AGE_MIN = timedelta(seconds=15)
UPDATE_AGE_MAX = timedelta(minutes=5)
UPDATE_SHARE = 100
"""Figures are renewed after 1/100 of an incident's age, within these bounds: an old one changes slowly."""


def periods(budget: Budget, now: datetime, calendar: Calendar) -> list[tuple[datetime, datetime]]:
    """The budget's periods that are watched, as [start, end): one that closes, if any, and the open one.

    A budget that was made or changed since is for the open period alone.
    """
    closing, running = (budget.bounds(at, calendar) for at in (now - CLOSING, now))
    return [running] if closing == running or budget.updated_at >= closing[1] else [closing, running]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One tenant at one moment: budgets that can be watched, what was spent, what was to be expected."""

    tenant: str
    now: datetime
    calendar: Calendar
    budgets: Sequence[Budget]
    spend: Spend
    learned: Learned

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open (and anomalies that are cooling down)."""
        found = [*self._breached(current), *self._anomalous(current)]
        return [told(incident, self.calendar.zone) for incident in found]

    def due(self, incident: Incident) -> bool:
        """Whether its figures are to be renewed."""
        age = self.now - incident.opened_at
        return self.now - incident.updated_at >= min(max(UPDATE_AGE_MIN, age / UPDATE_SHARE), UPDATE_AGE_MAX)

    def until(self, incident: Incident, ending: str) -> datetime:
        """Where its money ends: with its period; an anomaly's now, or with its last hot minute."""
        if incident.period_end is not None:
            return incident.period_end - MICROSECOND  # usage dated ahead, by an hour at most, counts as well
        return max(incident.hot_at, incident.began_at) if ending else self.now

    def figures(self, incident: Incident, by_series: Mapping[Series, Money], until: datetime) -> Figures:
        """Its figures; `by_series`: what its scope spent from its beginning to `until`."""
        expected = incident.expected
        if incident.kind == "anomaly":
            expected = _over(incident.expected_per_hour, until - incident.began_at)
        return self._figures(
            by_series, expected, incident.expected_per_hour, lambda series: matches(series, incident.scope)
        )

    def budget_of(self, incident: Incident) -> Budget | None:
        """The budget that the incident is about, if it is still as it was."""
        wanted = (incident.rule_id, incident.rule_revision)
        return next((budget for budget in self.budgets if (budget.id, budget.revision) == wanted), None)

    def is_hot(self, incident: Incident) -> bool:
        """Whether an anomaly goes on (a budget's incident never is)."""
        if incident.kind == "budget":
            return False
        amount = total(
            row.amount
            for row in self.spend.spent_since(self.learned.until)
            if row.minute <= self.now and matches(row.series, incident.scope)
        )
        tested = self.now - self.learned.until
        expected, hot = (_over(rate, tested) for rate in (incident.expected_per_hour, incident.hot_per_hour))
        return is_hot(amount, expected, hot)

    def ending(self, incident: Incident, hot: bool) -> str:
        """Why an incident is over; '' = it is not."""
        if incident.kind == "anomaly":
            if self.now - incident.began_at >= LASTING:
                return "it has lasted a day and is the new level"
            quiet = not hot and self.now - incident.hot_at >= QUIET
            return f"nothing unusual for {QUIET.seconds // 60} minutes" if quiet else ""
        if self.budget_of(incident) is None:
            return "the budget was changed or deleted"
        assert incident.period_end is not None
        return "its period is over" if self.now >= incident.period_end + CLOSING else ""

    def _breached(self, current: Sequence[Incident]) -> Iterable[Incident]:
        watched = [
            (budget, bounds) for budget in self.budgets for bounds in periods(budget, self.now, self.calendar)
        ]
        for budget, bounds in watched:
            start, end = bounds
            spent = self.spend.of_budget(budget, start, end).effective
            seen = [
                incident.threshold_percent
                for incident in current
                if (incident.rule_id, incident.rule_revision, incident.period_start)
                == (budget.id, budget.revision, start)
                and incident.threshold_percent is not None
            ]
            threshold = highest_breach(spent, budget, seen)
            if threshold is not None:
                by_series = self.spend.by_series(budget.covers, start, end)
                usual = per_hour(budget.amount, end - start)
                figures = self._figures(by_series, budget.amount, usual, budget.covers)
                yield budget_incident(budget, bounds, threshold, figures, self.now)

    def _anomalous(self, current: Sequence[Incident]) -> Iterable[Incident]:
        named = [scope_of(incident) for incident in current if incident.kind == "anomaly"]
        spent = self.spend.spent_since(self.learned.until)
        for anomaly in detect(spent, self.learned, self.now, named):
            covers = partial(within, scope=anomaly.scope)
            usual = quantised(anomaly.expected_per_minute * 60)
            by_series = self.spend.open_by_series(covers, anomaly.began_at, self.now)
            figures = self._figures(by_series, _over(usual, self.now - anomaly.began_at), usual, covers)
            yield anomaly_incident(self.tenant, anomaly, self.calendar.currency, figures, self.now)

    def _figures(
        self,
        by_series: Mapping[Series, Money],
        expected: Decimal,
        expected_per_hour: Decimal,
        covers: Callable[[Series], bool],
    ) -> Figures:
        amounts = {series: money.effective for series, money in by_series.items()}
        amount = total(amounts.values())
        return Figures(
            amount=amount,
            expected=expected,
            rate_per_hour=self.spend.rate_per_hour(covers, self.now),
            expected_per_hour=expected_per_hour,
            of_which_provisional=total(money.provisional for money in by_series.values()),
            top_contributor=top_contributor(amounts, amount),
        )


def _over(per_hour: Decimal, duration: timedelta) -> Decimal:
    return divided(EXACT.multiply(per_hour, Decimal(duration // MICROSECOND)), Decimal(HOUR // MICROSECOND))
