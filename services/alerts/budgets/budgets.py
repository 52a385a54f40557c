"""Budgets: what one covers, and which of its thresholds an amount has crossed. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from spendmeter.book.budget_periods import BudgetPeriod, BudgetPeriodKind
from spendmeter.contracts.budget_tree import TreeBudget
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.series import DIMENSIONS, Series
from spendmeter.contracts.terms import Timeline

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A budget as api wrote it; every change raises `revision`."""

    id: str
    tenant: str
    name: str
    filter: Mapping[str, str]
    """Dimension to value; empty = everything that the tenant spends."""
    own: frozenset[str] = frozenset()
    """Which of these dimensions are the tenant's own."""
    amount: Decimal
    currency: str
    period: BudgetPeriodKind
    starts_on: date | None = None
    ends_on: date | None = None
    last_hours: int | None = None
    each: str = ""
    """Set: it is a template, a budget of this amount for every value of this dimension."""
    value_of: str = ""
    """Set: it is one of a template's, of a value of this dimension."""
    thresholds_percent: tuple[Decimal, ...]
    forecast_thresholds_percent: tuple[Decimal, ...] = ()
    """Told once the period is expected to reach them."""
    revision: int
    updated_at: datetime
    """When it was made or last changed."""
    begins: datetime | None = None
    ends: datetime | None = None
    """Where its tenant's currency changes: periods before `begins`, or from `ends` on, are not its."""

    @property
    def rolls(self) -> bool:
        """Whether it is of the last hours: its time has no end, so a breach is an episode."""
        return self.period == "rolling"

    @property
    def node(self) -> TreeBudget:
        """Its place among budgets that lie within each other."""
        period = (self.period, self.starts_on, self.ends_on, self.last_hours)
        return TreeBudget(self.id, self.filter, self.currency, period, self.amount, self.each)

    def bounds(self, at: datetime, calendar: Timeline) -> tuple[datetime, datetime] | None:
        """[start, end) in UTC of the period that holds `at`; None = its days are over, or to come."""
        period = BudgetPeriod(self.period, self.starts_on, self.ends_on, self.last_hours)
        return period.bounds(at, calendar)

    def has(self, bounds: tuple[datetime, datetime]) -> bool:
        """Whether a period [start, end) is the budget's."""
        start, end = bounds
        return (self.begins is None or end > self.begins) and (self.ends is None or start < self.ends)

    def currency_of(self, calendar: Timeline, now: datetime) -> str:
        """In what the tenant counts while the budget is its."""
        at = max(now, self.begins) if self.begins else now
        return calendar.at(min(at, self.ends - MICROSECOND) if self.ends else at).currency


def matches(series: Series, scope: Mapping[str, str]) -> bool:
    """Whether the series has every value that the scope names; {} = any series."""
    for dimension, value in scope.items():  # noqa: SIM110 - all() costs twice as much, a million times a minute
        if series.value(dimension) != value:
            return False
    return True


def trouble(budget: Budget, currency: str) -> str:
    """Why the budget cannot be watched where its tenant counts in `currency`; '' = it can."""
    known = {*DIMENSIONS, *budget.own, *(("run", "user") if budget.each else ())}
    unknown = sorted({*budget.filter, *filter(None, [budget.each])} - known)
    if unknown:
        return f"budget {budget.name!r} filters by {', '.join(unknown)}: not a dimension"
    if budget.currency != currency:
        return f"budget {budget.name!r} is in {budget.currency}, but the tenant's book is in {currency}"
    return ""


def reaches(spent: Decimal, budget: Budget, threshold: Decimal) -> bool:
    """Whether `spent` is the threshold in percent of the budget, or more."""
    return EXACT.multiply(spent, Decimal(100)) >= EXACT.multiply(budget.amount, threshold)


def highest_breach(spent: Decimal, budget: Budget, seen: Iterable[Decimal]) -> Decimal | None:
    """The highest threshold in percent that `spent` has reached, unless it or a higher one is in `seen`.

    Where one jump crosses several, the highest says it all: the lower ones open no incident of their own.
    """
    reached = [each for each in budget.thresholds_percent if reaches(spent, budget, each)]
    highest = max(reached, default=None)
    return None if highest is None or any(known >= highest for known in seen) else highest
