"""Usage that is booked when its budget's period is over: told once, where it crosses a threshold after all.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.alerts.budgets.breaches import budget_incident
from services.alerts.budgets.budgets import Budget, highest_breach
from services.alerts.counting.counters import CounterKey, Counters, CounterSum, counter_key
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.incident import CLOSING, Incident, IncidentFigures
from services.alerts.rates import per_hour
from spendmeter.book.budget_periods import PeriodBounds
from spendmeter.contracts.incidents import IncidentSeverity
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.terms import Timeline

LATE_MAX = timedelta(days=45)
"""So long after its end a period is looked at: bills of a month come in the first weeks of the next."""
OPEN_FOR = timedelta(days=1)
"""Nothing can be stopped any more: so long it stays, for somebody to see."""
_INSTANT = timedelta(microseconds=1)


class ToldPeriod(NamedTuple):
    """A period of one revision of a budget."""

    rule_id: str
    rule_revision: int
    period_start: datetime


def late_periods(budget: Budget, now: datetime, calendar: Timeline) -> list[PeriodBounds]:
    """The budget's periods that are over and watched no more, the newest first. Those before it was made or
    changed are not its, and what rolls has none."""
    if budget.rolls or budget.each:
        return []
    found: list[PeriodBounds] = []
    at = now - CLOSING
    while at > now - LATE_MAX:
        bounds = budget.bounds(at, calendar)
        if bounds is None and budget.ends_on is not None:
            bounds = _over(budget, at, calendar)
        if bounds is None or bounds[1] <= max(budget.updated_at, now - LATE_MAX):
            break
        if bounds[1] <= now - CLOSING and budget.has(bounds):
            found.append(bounds)
        at = bounds[0] - _INSTANT
    return found


def counters_of_late(
    budgets: Iterable[Budget], now: datetime, calendar: Timeline
) -> dict[CounterKey, datetime]:
    """Their counters, each with the beginning of its earliest period."""
    since: dict[CounterKey, datetime] = {}
    for budget in budgets:
        for start, _ in late_periods(budget, now, calendar):
            counter = counter_key(budget.filter, budget.currency)
            since[counter] = min(since.get(counter, start), start)
    return since


def crossed_late(
    budgets: Iterable[Budget],
    told: Mapping[ToldPeriod, Decimal],
    counters: Counters,
    now: datetime,
    calendar: Timeline,
) -> list[Incident]:
    """What to open: of each period the highest threshold, where none as high was told in it. `told`: the
    highest of each period, however it ended."""
    found = []
    for budget in budgets:
        for bounds in late_periods(budget, now, calendar):
            spent = counters.of(counter_key(budget.filter, budget.currency), *bounds)
            known = told.get(ToldPeriod(budget.id, budget.revision, bounds[0]))
            threshold = highest_breach(spent.effective, budget, () if known is None else (known,))
            if threshold is not None:
                figures = late_figures(budget, bounds, spent)
                incident = budget_incident(budget, bounds, threshold, figures, now)
                severity: IncidentSeverity = "warning" if incident.severity == "critical" else "info"
                details = dict(incident.details) | {"late": True}
                found.append(replace(incident, severity=severity, details=details))
    return found


def late_figures(budget: Budget, bounds: PeriodBounds, spent: CounterSum) -> IncidentFigures:
    """What is said of it: nothing is spent in it now."""
    usual = per_hour(budget.amount, bounds[1] - bounds[0])
    return figures_of(spent, {}, expected=budget.amount, usual=usual, rate=ZERO)


def ending_of_late(incident: Incident, budgets: Iterable[Budget], now: datetime) -> str:
    """Why one is over; '' = it is not."""
    key = (incident.rule_id, incident.rule_revision)
    if all((budget.id, budget.revision) != key for budget in budgets):
        return "the budget was changed or deleted"
    return "its period was over when it was told" if now >= incident.opened_at + OPEN_FOR else ""


def is_late(incident: Incident) -> bool:
    """Whether it is of a period that was over before it was opened."""
    return bool(incident.details.get("late"))


def _over(budget: Budget, at: datetime, calendar: Timeline) -> PeriodBounds | None:
    """Stated days that were over by `at`."""
    assert budget.ends_on is not None
    bounds = budget.bounds(calendar.midnight(budget.ends_on) - _INSTANT, calendar)
    return bounds if bounds and bounds[1] <= at else None
