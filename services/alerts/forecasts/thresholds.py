"""What follows from forecasts of one tenant's budgets: what is expected, and what is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from services.alerts.budgets.budgets import Budget, reaches
from services.alerts.counting.counters import CounterKey, Counters
from services.alerts.forecasts.forecast import DAY, DaySpend, Forecast
from services.alerts.incidents.incident import Incident, IncidentFigures, opened, with_figures
from services.alerts.incidents.joining import SPENDING
from services.alerts.rates import per_hour
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, total
from spendmeter.contracts.terms import Timeline

TIMES = 2
"""So many evaluations, one after the other, must say the same before somebody is told, or it is over."""
EVERY = timedelta(hours=1)
RULE = "forecast:"
"""Before a budget's id: the rule of its forecast's incidents, beside those of what was spent."""


class Told(NamedTuple):
    """A budget's period and the highest threshold whose forecast was told in it, be it over or not."""

    rule_id: str
    rule_revision: int
    period_start: datetime
    threshold_percent: Decimal


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A budget, and what its open period will have come to."""

    budget: Budget
    bounds: tuple[datetime, datetime]
    at: datetime
    seen: Forecast
    provisional: Decimal = ZERO
    excess: Decimal = ZERO
    """What open incidents explain of the period: they are told of that, and no threshold counts it."""
    exhausted_at: datetime | None = None
    streaks: Mapping[Decimal, int] = field(default_factory=dict)
    """By threshold: evaluations in a row that reach it, below 0 those that do not."""

    @property
    def expected(self) -> Decimal | None:
        """The middle, without what open incidents explain."""
        return None if self.seen.p50 is None else EXACT.subtract(self.seen.p50, self.excess)

    def expects(self, threshold: Decimal) -> bool:
        """Whether the threshold will be reached, and has not been yet."""
        return (
            self.seen.armed
            and self.expected is not None
            and reaches(self.expected, self.budget, threshold)
            and not reaches(self.seen.spent, self.budget, threshold)
        )

    def after(self, before: Mapping[Decimal, int]) -> Evaluated:
        """The same, its thresholds' streaks following those of the evaluation before."""
        streaks = {}
        for threshold in self.budget.forecast_thresholds_percent:
            streak, expected = before.get(threshold, 0), self.expects(threshold)
            streaks[threshold] = max(streak, 0) + 1 if expected else min(streak, 0) - 1
        return replace(self, streaks=streaks)


def to_open(evaluated: Iterable[Evaluated], told: Sequence[Told]) -> list[Incident]:
    """Incidents of thresholds that two evaluations expect. The highest of a budget says it all."""
    found = []
    for each in evaluated:
        key = (RULE + each.budget.id, each.budget.revision, each.bounds[0])
        highest = max((of for of, streak in each.streaks.items() if streak >= TIMES), default=None)
        if highest is None or any(one[:3] == key and one.threshold_percent >= highest for one in told):
            continue
        found.append(
            opened(
                each.at,
                _figures(each),
                tenant=each.budget.tenant,
                kind="forecast",
                rule_id=key[0],
                rule_revision=each.budget.revision,
                rule_name=each.budget.name,
                scope=dict(each.budget.filter),
                period_start=each.bounds[0],
                period_end=each.bounds[1],
                threshold_percent=highest,
                severity="warning",
                began_at=each.bounds[0],
                currency=each.budget.currency,
                details=_details(each),
            )
        )
    return found


def renewed(incident: Incident, each: Evaluated) -> Incident:
    """The incident with what is expected now, and the parts that it tells of."""
    parts = {name: incident.details[name] for name in ("parts",) if name in incident.details}
    return replace(with_figures(incident, _figures(each), each.at), details=_details(each) | parts)


def ending(incident: Incident, budgets: Iterable[Budget], each: Evaluated | None, now: datetime) -> str:
    """Why an incident of a forecast is over; '' = it is not. `each`: an evaluation of its period just now."""
    assert incident.threshold_percent is not None
    assert incident.period_end is not None
    key = (incident.rule_id, incident.rule_revision)
    budget = next((one for one in budgets if (RULE + one.id, one.revision) == key), None)
    if budget is None or incident.threshold_percent not in budget.forecast_thresholds_percent:
        return "the budget was changed or deleted"
    if now >= incident.period_end:
        return "its period is over"
    if each is None or each.bounds[0] != incident.period_start:
        return ""
    # That it has come is no end of it, nor that an incident that was opened since explains it.
    coming = max(each.seen.spent, each.seen.p50 or ZERO)
    less = each.streaks.get(incident.threshold_percent, 0) <= -TIMES
    return "less is expected now" if less and not reaches(coming, budget, incident.threshold_percent) else ""


def days_before(counters: Counters, counted: CounterKey, calendar: Timeline, today: date) -> list[DaySpend]:
    """The counter's complete days, as the tenant counted them then, one after the other, oldest first."""
    sums: dict[date, Decimal] = {}
    for part in counters.parts:
        day = calendar.day(part.start)
        if day < today and counted in part.sums:
            sums[day] = EXACT.add(sums.get(day, ZERO), part.sums[counted].effective)
    if not sums:
        return []
    first = min(sums)
    days = [first + number * DAY for number in range((today - first).days)]
    return [DaySpend(day=day, amount=sums.get(day, ZERO)) for day in days]


def without_excess(
    days: Sequence[DaySpend], excesses: Iterable[tuple[datetime, datetime, Decimal]], calendar: Timeline
) -> list[DaySpend]:
    """The same days, with what is explained of each: an excess counts evenly over the days of its span."""
    explained: dict[date, Decimal] = {}
    for start, end, amount in excesses:
        first, last = calendar.day(start), calendar.day(end)
        number = (last - first).days + 1
        for place in range(number):
            day = first + place * DAY
            explained[day] = EXACT.add(explained.get(day, ZERO), divided(amount, Decimal(number)))
    return [
        replace(each, excess=min(explained[each.day], max(each.amount, ZERO)))
        if each.day in explained
        else each
        for each in days
    ]


def excesses_in(
    scope: Mapping[str, str], currency: str, since: datetime, incidents: Iterable[Incident]
) -> list[tuple[datetime, datetime, Decimal]]:
    """What open bursts and shifts explain of the spend in `scope`, with its span: those that surely lie in
    it, by their scope and the one who spends most. A part of one that goes on is in that one."""
    found = []
    going_on = [each for each in incidents if each.state != "resolved"]
    spending = [each for each in going_on if each.kind in SPENDING]
    ids = {each.id for each in spending}
    for incident in spending:
        if incident.parent in ids:
            continue
        within = dict(incident.top_contributor["dimensions"]) | dict(incident.scope)
        inside = all(within.get(name) == value for name, value in scope.items())
        excess = EXACT.subtract(incident.amount, incident.expected)
        if inside and excess > 0 and incident.currency == currency and incident.hot_at >= since:
            found.append((max(incident.began_at, since), incident.hot_at, excess))
    return found


def excess_of(excesses: Iterable[tuple[datetime, datetime, Decimal]]) -> Decimal:
    """All of it."""
    return total(amount for _, _, amount in excesses)


def _figures(each: Evaluated) -> IncidentFigures:
    start, end = each.bounds
    seen = each.seen
    coming = ZERO if seen.p50 is None else EXACT.subtract(seen.p50, seen.spent)
    return IncidentFigures(
        amount=seen.spent,
        expected=each.budget.amount,
        rate_per_hour=per_hour(coming, end - each.at),
        expected_per_hour=per_hour(each.budget.amount, end - start),
        of_which_provisional=each.provisional,
    )


def _details(each: Evaluated) -> dict[str, Any]:
    amounts = {
        "p10": each.seen.p10,
        "p50": each.seen.p50,
        "p90": each.seen.p90,
        "run_rate": each.seen.run_rate,
    }
    found: dict[str, Any] = {name: plain(one) for name, one in amounts.items() if one is not None}
    found |= {"budget": each.budget.id, "excess": plain(each.excess)}
    return found | ({"exhausted_at": each.exhausted_at.isoformat()} if each.exhausted_at else {})
