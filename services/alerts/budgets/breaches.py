"""What follows from one look at one tenant: what to open, what has new figures, what is over. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from services.alerts.budgets.budgets import Budget, highest_breach, reaches
from services.alerts.counting.counters import CounterKey, Counters, CounterSum, counter_key
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.incident import (
    CLOSING,
    Incident,
    IncidentFigures,
    is_corrected,
    opened,
    with_figures,
)
from services.alerts.incidents.words import Wording
from services.alerts.rates import per_hour
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import Timeline

WHOLE = Decimal(100)
"""In percent of a budget: from there on it is overspent."""
DOUBLINGS_MAX = 40


def periods(budget: Budget, now: datetime, calendar: Timeline) -> list[tuple[datetime, datetime]]:
    """The budget's periods that are watched, as [start, end): one that closes, if any, and the open one.

    A budget that was made or changed since is for the open period alone; one that begins or ends with a
    change of currency has none beyond that.
    """
    closing, running = (budget.bounds(at, calendar) for at in (now - CLOSING, now))
    only = closing == running or budget.updated_at >= closing[1]
    return [bounds for bounds in ([running] if only else [closing, running]) if budget.has(bounds)]


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
        proposed = []
        for budget, bounds, threshold, spent, episode, fell in self.breached(current):
            figures = self.figures(budget, bounds, spent)
            incident = budget_incident(
                budget, bounds, threshold, figures, self.now, episode=episode, told=not fell
            )
            proposed.append(self.wording.with_words(incident))
        for incident, spent in self.outgrown(current):
            known = self.budget_of(incident)
            assert known is not None
            assert incident.period_start is not None
            assert incident.period_end is not None
            figures = self.figures(known, (incident.period_start, incident.period_end), spent)
            times = doublings(figures.amount, known, incident.threshold_percent)
            grown = with_figures(incident, figures, self.now)
            details = dict(incident.details) | {"doublings": times, "doubled": True}
            grown = replace(grown, number=incident.number + 1, details=details, told=True)
            proposed.append(self.wording.with_words(grown))
        return proposed

    def outgrown(self, current: Sequence[Incident]) -> list[tuple[Incident, CounterSum]]:
        """Open incidents of a budget's highest threshold whose spend has doubled since it was told."""
        found = []
        for incident in current:
            budget, bounds = self.budget_of(incident), (incident.period_start, incident.period_end)
            if incident.kind != "budget" or incident.state == "resolved" or budget is None:
                continue
            threshold = incident.threshold_percent
            highest = threshold == max(budget.thresholds_percent)
            if highest and bounds in periods(budget, self.now, self.calendar):
                spent = self.counters.of(counter_key(budget.filter, budget.currency), *bounds)
                told = incident.details.get("doublings", doublings(incident.amount, budget, threshold))
                if doublings(spent.effective, budget, threshold) > told:
                    found.append((incident, spent))
        return found

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


def doublings(spent: Decimal, budget: Budget, threshold: Decimal | None) -> int:
    """How often `spent` has doubled since it was the threshold in percent of the budget."""
    assert threshold is not None
    times = 0
    while times < DOUBLINGS_MAX and reaches(spent, budget, threshold * 2 ** (times + 1)):
        times += 1
    return times


def budget_incident(
    budget: Budget,
    bounds: tuple[datetime, datetime],
    threshold: Decimal,
    figures: IncidentFigures,
    now: datetime,
    *,
    episode: int | None = None,
    told: bool = True,
) -> Incident:
    """A threshold of a budget that was crossed in the period `bounds`; `episode`: if before, how often."""
    return opened(
        now,
        figures,
        tenant=budget.tenant,
        kind="budget",
        rule_id=budget.id,
        rule_revision=budget.revision,
        rule_name=budget.name,
        scope=dict(budget.filter),
        period_start=bounds[0],
        period_end=bounds[1],
        episode=episode,
        threshold_percent=threshold,
        told=told,
        severity="critical" if threshold >= WHOLE else "warning",
        began_at=bounds[0],
        currency=budget.currency,
        details={"doublings": doublings(figures.amount, budget, threshold)},
    )
