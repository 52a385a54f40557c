"""What follows from one look at one tenant: what to open, what has new figures, what is over. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.alerts.anomalies import detect, is_hot
from services.alerts.budgets import Budget, highest_breach, reaches
from services.alerts.counters import CounterKey, Counters, CounterSum
from services.alerts.expectations import Learned
from services.alerts.incidents import (
    HOUR,
    MICROSECOND,
    Incident,
    IncidentFigures,
    anomaly_incident,
    budget_incident,
    is_corrected,
    per_hour,
    scope_of,
    top_contributor,
)
from services.alerts.minutes import Recent, by_series
from services.alerts.words import Wording
from spendmeter.contracts.money import EXACT, ZERO, divided, quantised, total
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import Timeline

QUIET = timedelta(minutes=5)
"""An anomaly is over when its scope was not hot for so long."""
LASTING = timedelta(days=1)
CLOSING = timedelta(minutes=5)
"""A budget's period is watched for so long after its end: its last events are booked after they are over."""
UPDATE_AGE_MIN = timedelta(seconds=15)
UPDATE_AGE_MAX = timedelta(minutes=5)
UPDATE_SHARE = 100
"""Figures are renewed after 1/100 of an incident's age, within these bounds: an old one changes slowly."""


def periods(budget: Budget, now: datetime, calendar: Timeline) -> list[tuple[datetime, datetime]]:
    """The budget's periods that are watched, as [start, end): one that closes, if any, and the open one.

    A budget that was made or changed since is for the open period alone; one that begins or ends with a
    change of currency has none beyond that.
    """
    closing, running = (budget.bounds(at, calendar) for at in (now - CLOSING, now))
    only = closing == running or budget.updated_at >= closing[1]
    return [bounds for bounds in ([running] if only else [closing, running]) if budget.has(bounds)]


def counter_key(scope: Mapping[str, str], currency: str) -> CounterKey:
    """The counter of a budget's filter or an incident's scope."""
    return CounterKey(currency, tuple(sorted(scope.items())))


def counters_needed(
    budgets: Iterable[Budget], now: datetime, calendar: Timeline
) -> dict[CounterKey, datetime]:
    """The counters of these budgets, each with the beginning of its earliest period."""
    since: dict[CounterKey, datetime] = {}
    for budget in budgets:
        counter = counter_key(budget.filter, budget.currency)
        for start, _ in periods(budget, now, calendar):
            since[counter] = min(since.get(counter, start), start)
    return since


def is_due(incident: Incident, now: datetime) -> bool:
    """Whether its figures are to be renewed."""
    age = now - incident.opened_at
    return now - incident.updated_at >= min(max(UPDATE_AGE_MIN, age / UPDATE_SHARE), UPDATE_AGE_MAX)


class _Breach(NamedTuple):
    budget: Budget
    bounds: tuple[datetime, datetime]
    threshold: Decimal
    spent: CounterSum
    episode: int | None
    fell: bool
    """It was reached from above: a correction has ended a higher threshold's incident, or its own."""


@dataclass(frozen=True, kw_only=True)
class BudgetLook:
    """One tenant's budgets that can be watched at one moment, and what they have come to."""

    now: datetime
    calendar: Timeline
    budgets: Sequence[Budget]
    counters: Counters
    series: Mapping[bytes, Series] = field(default_factory=dict)
    """Of leaders, by id; a leader that is missing is nobody's top contributor."""
    wording: Wording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open."""
        opened = []
        for budget, bounds, threshold, spent, episode, fell in self.breached(current):
            figures = self.figures(budget, bounds, spent)
            incident = budget_incident(
                budget, bounds, threshold, figures, self.now, episode=episode, told=not fell
            )
            opened.append(self.wording.with_words(incident))
        return opened

    def breached(self, current: Sequence[Incident]) -> list[_Breach]:
        """Thresholds that were crossed and nobody was told of."""
        told: defaultdict[tuple[str, int, datetime | None], list[Decimal]] = defaultdict(list)
        ended: defaultdict[tuple[str, int, datetime | None], list[Incident]] = defaultdict(list)
        for incident in current:
            if incident.threshold_percent is not None:
                key = (incident.rule_id, incident.rule_revision, incident.period_start)
                if is_corrected(incident):
                    ended[key].append(incident)
                else:
                    told[key].append(incident.threshold_percent)
        found = []
        for budget in self.budgets:
            counter = counter_key(budget.filter, budget.currency)
            for bounds in periods(budget, self.now, self.calendar):
                spent = self.counters.of(counter, *bounds)
                key = (budget.id, budget.revision, bounds[0])
                threshold = highest_breach(spent.effective, budget, told.get(key, ()))
                if threshold is not None:
                    before = ended.get(key, [])
                    found.append(
                        _Breach(budget, bounds, threshold, spent, *_again(budget, threshold, before))
                    )
        return found

    def budget_of(self, incident: Incident) -> Budget | None:
        """The budget that the incident is about, if it is still as it was."""
        key = (incident.rule_id, incident.rule_revision)
        return next((budget for budget in self.budgets if (budget.id, budget.revision) == key), None)

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        if self.budget_of(incident) is None:
            return "the budget was changed or deleted"
        assert incident.period_end is not None
        return "its period is over" if self.now >= incident.period_end + CLOSING else ""

    def has_fallen(self, incident: Incident) -> bool:
        """Whether its period has come to less than its threshold: corrections alone lower what is booked."""
        budget, bounds = self.budget_of(incident), (incident.period_start, incident.period_end)
        if budget is None or bounds not in periods(budget, self.now, self.calendar):
            return False
        assert incident.threshold_percent is not None
        spent = self.counters.of(counter_key(incident.scope, incident.currency), *bounds)
        return not reaches(spent.effective, budget, incident.threshold_percent)

    def figures(
        self, budget: Budget, bounds: tuple[datetime, datetime], spent: CounterSum
    ) -> IncidentFigures:
        """What an incident of the budget says in numbers."""
        usual = per_hour(budget.amount, bounds[1] - bounds[0])
        rate = self.counters.rate_per_hour(counter_key(budget.filter, budget.currency), self.now)
        return figures_of(spent, self.series, expected=budget.amount, usual=usual, rate=rate)


def _again(budget: Budget, threshold: Decimal, ended: Sequence[Incident]) -> tuple[int | None, bool]:
    """How often the threshold was crossed in this period and corrected since, None = never; and whether the
    spend came down to it when a correction last ended an incident, rather than up since."""
    times = sum(incident.threshold_percent == threshold for incident in ended)
    last = max(ended, key=lambda incident: incident.updated_at, default=None)
    return times or None, last is not None and reaches(last.amount, budget, threshold)


@dataclass(frozen=True, kw_only=True)
class AnomalyLook:
    """One tenant's minutes under test at one moment, and what was to be expected."""

    tenant: str
    now: datetime
    currency: str
    recent: Recent
    learned: Learned
    wording: Wording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open or cooling down."""
        named = [scope_of(incident) for incident in current if incident.kind == "anomaly"]
        opened = []
        for anomaly in detect(self.recent.spent, self.learned, self.now, named):
            usual = quantised(anomaly.expected_per_minute * 60)
            rows = self.recent.of(anomaly.scope, anomaly.began_at, self.now)
            amounts = by_series(rows)
            amount = total(amounts.values())
            figures = IncidentFigures(
                amount=amount,
                expected=_over(usual, self.now - anomaly.began_at),
                rate_per_hour=self.recent.rate_per_hour(anomaly.scope, self.now),
                expected_per_hour=usual,
                of_which_provisional=total(row.provisional for row in rows),
                top_contributor=top_contributor(amounts, amount),
            )
            incident = anomaly_incident(self.tenant, anomaly, self.currency, figures, self.now)
            opened.append(self.wording.with_words(incident))
        return opened

    def is_hot(self, incident: Incident) -> bool:
        """Whether an anomaly goes on."""
        rows = self.recent.of(scope_of(incident), self.learned.until, self.now)
        tested = self.now - self.learned.until
        expected, hot = (_over(rate, tested) for rate in (incident.expected_per_hour, incident.hot_per_hour))
        return is_hot(total(row.amount for row in rows), expected, hot)

    def ending(self, incident: Incident, hot: bool) -> str:
        """Why an incident is over; '' = it is not."""
        if self.now - incident.began_at >= LASTING:
            return "it has lasted a day and is the new level"
        quiet = not hot and self.now - incident.hot_at >= QUIET
        return f"nothing unusual for {QUIET.seconds // 60} minutes" if quiet else ""

    def is_corrected(self, figures: IncidentFigures) -> bool:
        """Whether but for corrections its money would be above what was expected."""
        booked = EXACT.subtract(figures.amount, figures.corrected)
        return is_hot(booked, figures.expected, ZERO) and not is_hot(figures.amount, figures.expected, ZERO)

    def until(self, incident: Incident, hot: bool) -> datetime:
        """Where its money ends: now, or when it was last hot, for what comes later is usual."""
        return self.now if hot else max(incident.hot_at, incident.began_at)

    def figures(
        self, incident: Incident, spent: CounterSum, series: Mapping[bytes, Series], until: datetime
    ) -> IncidentFigures:
        """Its figures; `spent`: what its scope spent from its beginning to `until`."""
        usual = incident.expected_per_hour
        expected = _over(usual, until - incident.began_at)
        rate = self.recent.rate_per_hour(scope_of(incident), self.now)
        return figures_of(spent, series, expected=expected, usual=usual, rate=rate)


def figures_of(
    spent: CounterSum, series: Mapping[bytes, Series], *, expected: Decimal, usual: Decimal, rate: Decimal
) -> IncidentFigures:
    """Figures of what was counted; `series`: its leaders' dimensions by id."""
    leaders = {series[each.series_id]: each.amount for each in spent.leaders if each.series_id in series}
    return IncidentFigures(
        amount=spent.effective,
        expected=expected,
        rate_per_hour=rate,
        expected_per_hour=usual,
        of_which_provisional=spent.provisional,
        top_contributor=top_contributor(leaders, spent.effective),
        corrected=spent.corrected,
    )


def _over(per_hour: Decimal, duration: timedelta) -> Decimal:
    return divided(EXACT.multiply(per_hour, Decimal(duration // MICROSECOND)), Decimal(HOUR // MICROSECOND))
