"""What follows from one look at one tenant: what to open, what has new figures, what is over. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from services.alerts.budgets.budgets import Budget, highest_breach, reaches
from services.alerts.budgets.joined import joined
from services.alerts.counting.counters import CounterKey, CounterSum, counter_key
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.incident import (
    CLOSING,
    EPOCH,
    Incident,
    IncidentFigures,
    is_corrected,
    opened,
    with_figures,
)
from services.alerts.incidents.words import Wording
from services.alerts.rates import per_hour
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import Timeline

WHOLE = Decimal(100)
"""In percent of a budget: from there on it is overspent."""
DOUBLINGS_MAX = 40
RE_ARMED = Decimal("0.9")
"""Of a threshold: below that a window that rolls is no longer over it, and passing it again is news."""
MILLISECOND = timedelta(milliseconds=1)
ROLLED_BACK = timedelta(hours=1)
"""The book may be so far behind for a window to be told as over; beyond that nothing is said."""


def periods(budget: Budget, now: datetime, calendar: Timeline) -> list[tuple[datetime, datetime]]:
    """The budget's periods that are watched, as [start, end): one that closes, if any, and the open one.

    A budget that was made or changed since is for the open period alone; one that begins or ends with a
    change of currency has none beyond that. The last hours are one period, which rolls.
    """
    closing, running = (budget.bounds(at, calendar) for at in (now - CLOSING, now))
    only = budget.rolls or closing is None or closing == running or budget.updated_at >= closing[1]
    return [each for each in ([running] if only else [closing, running]) if each and budget.has(each)]


def counters_needed(
    budgets: Iterable[Budget], now: datetime, calendar: Timeline
) -> dict[CounterKey, datetime]:
    """The counters of these budgets, each with the beginning of its earliest period."""
    since: dict[CounterKey, datetime] = {}
    for budget in budgets:
        counter = counter_key(budget.filter, budget.currency)
        for start, _ in periods(budget, now, calendar):
            start = start - ROLLED_BACK if budget.rolls else start
            since[counter] = min(since.get(counter, start), start)
    return since


def hours_needed(budgets: Iterable[Budget], now: datetime, calendar: Timeline) -> datetime | None:
    """From when on hours have to be known apart, for windows that roll; None = there is none."""
    rolling = [budget for budget in budgets if budget.rolls]
    return min(counters_needed(rolling, now, calendar).values(), default=None)


class Spending(Protocol):
    """What budgets have come to: `Counters`, or values that one statement has read."""

    def of(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """What [start, end), a period, has come to."""

    def rate_per_hour(self, counted: CounterKey, now: datetime) -> Decimal:
        """How fast it goes now."""


class _Watched(NamedTuple):
    """A budget, or a value of a template; the start of its period, None = it rolls."""

    id: str
    revision: int
    scope: tuple[tuple[str, str], ...]
    period_start: datetime | None = None


def _watched(id: str, revision: int, scope: Mapping[str, str], start: datetime | None = None) -> _Watched:
    return _Watched(id, revision, tuple(sorted(scope.items())), start)


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
    counters: Spending
    series: Mapping[bytes, Series] = field(default_factory=dict)
    """Of leaders, by id; a leader that is missing is nobody's top contributor."""
    wording: Wording
    complete_through: datetime | None = None
    """Up to when all that was accepted is booked: only by that has a window that rolls come down."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open."""
        crossed = []
        for budget, bounds, threshold, spent, episode, fell in self.breached(current):
            figures = self.figures(budget, bounds, spent)
            incident = budget_incident(
                budget, bounds, threshold, figures, self.now, episode=episode, told=not fell
            )
            crossed.append((budget, incident))
        proposed = [self.wording.with_words(incident) for incident in joined(crossed)]
        for incident, spent in self.outgrown(current):
            known = self.budget_of(incident)
            assert known is not None
            figures = self.figures(known, self.bounds_of(incident, known), spent)
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
            budget = self.budget_of(incident)
            if incident.kind != "budget" or incident.state == "resolved" or budget is None:
                continue
            bounds = self.bounds_of(incident, budget)
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
        told: defaultdict[_Watched, list[Decimal]] = defaultdict(list)
        ended: defaultdict[_Watched, list[Incident]] = defaultdict(list)
        for incident in current:
            if incident.threshold_percent is not None:
                rolls = incident.details.get("last_hours") is not None
                period = None if rolls else incident.period_start
                key = _watched(incident.rule_id, incident.rule_revision, incident.scope, period)
                if is_corrected(incident) or (rolls and incident.state == "resolved"):
                    ended[key].append(incident)
                else:
                    told[key].append(incident.threshold_percent)
        found = []
        for budget in self.budgets:
            counter = counter_key(budget.filter, budget.currency)
            for bounds in periods(budget, self.now, self.calendar):
                spent = self.counters.of(counter, *bounds)
                period = None if budget.rolls else bounds[0]
                key = _watched(budget.id, budget.revision, budget.filter, period)
                threshold = highest_breach(spent.effective, budget, told.get(key, ()))
                if threshold is not None:
                    episode, fell = _again(budget, threshold, ended.get(key, []))
                    if budget.rolls:
                        episode = (self.now - EPOCH) // MILLISECOND  # it may rise again within the minute
                    found.append(_Breach(budget, bounds, threshold, spent, episode, fell))
        return found

    def bounds_of(self, incident: Incident, budget: Budget) -> tuple[datetime, datetime]:
        """The time that the incident is about: its period, or the last hours as they are now."""
        rolled = budget.bounds(self.now, self.calendar) if budget.rolls else None
        if rolled is not None:
            return rolled
        assert incident.period_start is not None
        assert incident.period_end is not None
        return incident.period_start, incident.period_end

    def budget_of(self, incident: Incident) -> Budget | None:
        """The budget that the incident is about, if it is still as it was."""
        return self._by_key.get(_watched(incident.rule_id, incident.rule_revision, incident.scope))

    @cached_property
    def _by_key(self) -> dict[_Watched, Budget]:
        return {_watched(each.id, each.revision, each.filter): each for each in self.budgets}

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        if self.budget_of(incident) is None:
            return "the budget was changed or deleted"
        if "last_hours" in incident.details:
            return ""
        assert incident.period_end is not None
        return "its period is over" if self.now >= incident.period_end + CLOSING else ""

    def has_fallen(self, incident: Incident) -> bool:
        """Whether its period has come to less than its threshold: corrections alone lower what is booked. Of
        the last hours: to less than RE_ARMED of it, all that the book is still to bring counted as if it were
        there."""
        budget = self.budget_of(incident)
        if budget is None:
            return False
        bounds, threshold = self.bounds_of(incident, budget), incident.threshold_percent
        assert threshold is not None
        if bounds not in periods(budget, self.now, self.calendar):
            return False
        if budget.rolls:
            if self.complete_through is None or self.complete_through < self.now - ROLLED_BACK:
                return False
            then = budget.bounds(min(self.complete_through, self.now), self.calendar)
            assert then is not None, "the last hours always are"
            bounds, threshold = (then[0], bounds[1]), EXACT.multiply(threshold, RE_ARMED)
        spent = self.counters.of(counter_key(incident.scope, incident.currency), *bounds)
        return not reaches(spent.effective, budget, threshold)

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
    """A threshold of a budget that was crossed in the period `bounds`; `episode`: if before, how often, and
    of one that rolls the millisecond in which it was."""
    details: dict[str, Any] = {"doublings": doublings(figures.amount, budget, threshold)}
    if budget.value_of:
        details["each"] = budget.value_of
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
        details=details | ({"last_hours": budget.last_hours} if budget.rolls else {}),
    )
