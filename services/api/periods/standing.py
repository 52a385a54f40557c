"""How a tenant's accounting periods stand, and which may be closed or reopened. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.api.periods.models import AccountingPeriod, PeriodClosing, PeriodState, PeriodSum
from spendmeter.contracts.periods import add_months
from spendmeter.contracts.terms import Timeline


@dataclass(frozen=True, kw_only=True)
class PeriodBooks:
    """What is known of a tenant's periods. `first`: its first month with anything booked or closed; None =
    there is none."""

    timeline: Timeline
    now: datetime
    first: date | None
    last_shut: date | None
    is_closed: bool
    """Whether the last that is shut is closed already, and not being closed."""
    closings: Mapping[date, Sequence[PeriodClosing]] = field(default_factory=dict)
    carried_in: Mapping[date, Sequence[PeriodSum]] = field(default_factory=dict)

    @property
    def running(self) -> date:
        """The month that runs."""
        return self.timeline.month(self.now)

    def is_over(self, period: date) -> bool:
        return self.timeline.midnight(add_months(period, 1)) <= self.now

    def why_not_close(self, period: date) -> str:
        """Why it may not be closed now; '' = it may."""
        if not self.is_over(period):
            end = self.timeline.midnight(add_months(period, 1))
            return f"{period:%Y-%m} is not over: it ends at {end.isoformat()}"
        if self.last_shut is not None and period <= self.last_shut:
            return f"{period:%Y-%m} is closed: everything up to {self.last_shut:%Y-%m} is"
        due = self.next_due
        if due is not None and due < period:
            return f"{due:%Y-%m} is open, and periods are closed in their order: close it first"
        return ""

    @property
    def next_due(self) -> date | None:
        """The period that is to be closed next: the one after the last that is shut, else the first in which
        anything was booked; None = any."""
        return add_months(self.last_shut, 1) if self.last_shut is not None else self.first

    def why_not_reopen(self, period: date) -> str:
        """Why it may not be reopened now; '' = it may."""
        if self.last_shut is None or period > self.last_shut:
            return f"{period:%Y-%m} is open"
        if period < self.last_shut:
            return (
                f"{self.last_shut:%Y-%m} is closed after it, and holds corrections of it: reopen that first"
            )
        return "" if self.is_closed else f"{period:%Y-%m} is being closed: wait until it is"

    def periods(self, months_max: int) -> list[AccountingPeriod]:
        """From the month that runs back, the newest first."""
        oldest = min(filter(None, (self.first, *self.closings)), default=self.running)
        period = max(self.running, *(self.closings or [self.running]))
        found: list[AccountingPeriod] = []
        while period >= oldest and len(found) < months_max:
            found.append(self.period(period))
            period = add_months(period, -1)
        return found

    def period(self, period: date) -> AccountingPeriod:
        """How one stands."""
        return AccountingPeriod(
            period=f"{period:%Y-%m}",
            first_day=period,
            until=add_months(period, 1),
            state=self._state(period),
            is_over=self.is_over(period),
            may_close=not self.why_not_close(period),
            may_reopen=not self.why_not_reopen(period),
            corrections_of_earlier_periods=list(self.carried_in.get(period, ())),
            closings=list(self.closings.get(period, ())),
        )

    def _state(self, period: date) -> PeriodState:
        if self.last_shut is not None and period <= self.last_shut:
            newest = next(iter(self.closings.get(period, ())), None)
            under_way = newest is not None and newest.reopened_at is None and newest.closed_at is None
            return "closing" if under_way else "closed"
        return "reopened" if self.closings.get(period) else "open"


def closings_of(rows: Sequence[Any], sums: Sequence[Any]) -> Mapping[date, Sequence[PeriodClosing]]:
    """By period, in the order of the rows."""
    had: dict[tuple[date, int], list[PeriodSum]] = defaultdict(list)
    for row in map(dict, sums):
        had[row.pop("period"), row.pop("number")].append(PeriodSum(**row))
    found: dict[date, list[PeriodClosing]] = defaultdict(list)
    for row in map(dict, rows):
        period = row.pop("period")
        found[period].append(PeriodClosing(sums=had[period, row["number"]], **row))
    return found
