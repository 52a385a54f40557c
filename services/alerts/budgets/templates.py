"""Templates: a budget for every value of a dimension, from sums that one statement has read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.alerts.budgets.breaches import budget_incident
from services.alerts.budgets.budgets import Budget
from services.alerts.counting.counters import NOTHING, CounterKey, CounterSum, counter_key
from services.alerts.incidents.incident import Incident, IncidentFigures
from services.alerts.rates import per_hour
from spendmeter.book.budget_periods import PeriodBounds
from spendmeter.contracts.money import EXACT, ZERO, divided, total
from spendmeter.contracts.terms import Terms, Timeline

VALUES_MAX = 1_000
"""Of one template are read, those that spent most."""
TOLD_MAX = 50
"""Values of a template whose incidents are open at once; of what is beyond, one more incident tells the
number."""
SINCE_LOOK_MIN = timedelta(seconds=2)
RUN_DAYS = {"day": 2, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""A run is one thing, whatever days it spans: its period begins with the local day in which it began."""
HUNDRED = Decimal(100)


class ValueSum(NamedTuple):
    """What one value has come to; `first_at`: of a run, when it began."""

    value: str
    spent: CounterSum
    first_at: datetime | None = None


class ValueLook(NamedTuple):
    """What a look read of a template's values, and from which amount on it read them."""

    at: datetime
    sums: Mapping[str, Decimal]
    floor: Decimal


@dataclass(frozen=True, kw_only=True)
class ValueCounters:
    """`Spending` of a template's values: by counter and the start of their period, None = of all their
    time."""

    start: datetime
    """Of the period that runs."""
    sums: Mapping[tuple[CounterKey, datetime | None], ValueSum]
    before: ValueLook | None = None

    def of(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """What it has come to; nothing, where it was not among those that were read."""
        found = self._found(counted, start)
        return NOTHING if found is None else found.spent

    def rate_per_hour(self, counted: CounterKey, now: datetime) -> Decimal:
        """Since the look before: at least what is beyond that look's floor, where the value was not read
        then. On the first look, what it was on average."""
        found, before = self._found(counted, self.start), self.before
        if found is None:
            return ZERO
        spent = found.spent.effective
        if before is None or now - before.at < SINCE_LOOK_MIN:
            return per_hour(spent, max(now - (found.first_at or self.start), SINCE_LOOK_MIN))
        known = before.sums.get(found.value, before.floor)
        return per_hour(max(EXACT.subtract(spent, known), ZERO), now - before.at)

    def _found(self, counted: CounterKey, start: datetime) -> ValueSum | None:
        return self.sums.get((counted, start)) or self.sums.get((counted, None))


def floor_of(template: Budget) -> Decimal:
    """From which amount on values are read: half of the lowest threshold, so that how fast one came to it is
    known."""
    lowest = EXACT.multiply(template.amount, min(template.thresholds_percent))
    return divided(lowest, 2 * HUNDRED)


def calendar_of(template: Budget, calendar: Timeline) -> Timeline:
    """The tenant's; of users, whose names are of a month of UTC, that one's."""
    if template.each != "user":
        return calendar
    return Timeline([(None, Terms(currency=template.currency, zone=ZoneInfo("UTC")))])


def budgets_of(template: Budget, values: Iterable[ValueSum], calendar: Timeline) -> list[Budget]:
    """One for each value."""
    found = []
    for each in values:
        scope = {**template.filter, template.each: each.value}
        budget = replace(template, filter=scope, each="", value_of=template.each)
        if each.first_at is not None:
            first = each.first_at.astimezone(calendar.at(each.first_at).zone).date()
            ends_on = first + timedelta(days=RUN_DAYS[template.period])
            # Its budget was there before it began, however late it was changed.
            budget = replace(budget, period="custom", starts_on=first, ends_on=ends_on)
        found.append(budget)
    return found


def counters_of(
    template: Budget,
    by_start: Mapping[datetime | None, Iterable[ValueSum]],
    start: datetime,
    before: ValueLook | None,
) -> ValueCounters:
    """The sums as a look at budgets reads them, from those by the start of each period."""
    sums = {
        (counter_key({**template.filter, template.each: each.value}, template.currency), of): each
        for of, values in by_start.items()
        for each in values
    }
    return ValueCounters(start=start, sums=sums, before=before)


def bounded(
    template: Budget,
    bounds: PeriodBounds,
    proposed: Sequence[Incident],
    current: Sequence[Incident],
    now: datetime,
) -> list[Incident]:
    """What is opened of what would be: the largest, up to TOLD_MAX open ones, and one incident of the
    template's own that says how many more there are."""
    of_it = [each for each in current if each.rule_id == template.id and each.state != "resolved"]
    ids = {each.id for each in current}
    grown = [each for each in proposed if each.id in ids]
    new = sorted((each for each in proposed if each.id not in ids), key=lambda each: -each.amount)
    room = max(0, TOLD_MAX - len(of_it))
    if len(new) <= room:
        return list(proposed)
    left = new[room:]
    return [*grown, *new[:room], beyond(template, bounds, left, now)]


def beyond(template: Budget, bounds: PeriodBounds, left: Sequence[Incident], now: datetime) -> Incident:
    """Tells that there are more values than are told one by one, and what these have come to."""
    spent = total(each.amount for each in left)
    figures = IncidentFigures(
        amount=spent,
        expected=EXACT.multiply(template.amount, Decimal(len(left))),
        rate_per_hour=total(each.rate_per_hour for each in left),
        expected_per_hour=per_hour(template.amount, bounds[1] - bounds[0]),
        of_which_provisional=total(each.of_which_provisional for each in left),
    )
    lowest = min(template.thresholds_percent)
    incident = budget_incident(template, bounds, lowest, figures, now)
    details = {"each": template.each, "values_beyond": len(left), "told_max": TOLD_MAX}
    return replace(incident, severity="critical", details=details)
