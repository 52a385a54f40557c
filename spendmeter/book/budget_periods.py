"""For what time a budget is: a period of the tenant's calendar, days that are stated once, or the last hours.
Pure.

Days are the tenant's, [starts_on, ends_on). The last N hours are the hour that runs and the N - 1 before it:
never more than N, so that nothing is said of 24 hours that took 25. Where a tenant's currency or calendar
changes, all of them are cut: money of one period is in one currency.
"""

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.terms import Timeline

BudgetPeriodKind = Literal["day", "week", "month", "quarter", "year", "custom", "rolling"]
ROLLING_HOURS_MIN, ROLLING_HOURS_MAX = 2, 31 * 24
"""Of the last hour alone next to nothing is left when the next one begins; each hour of a window is counted
apart."""
CUSTOM_DAYS_MAX = 3 * 366
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)

PeriodBounds = tuple[datetime, datetime]
"""[start, end) in UTC."""


class BudgetPeriod(NamedTuple):
    """`period_trouble` says whether it is one."""

    kind: BudgetPeriodKind
    starts_on: date | None = None
    ends_on: date | None = None
    """The day after the last one."""
    last_hours: int | None = None

    @property
    def ends(self) -> bool:
        """Whether one is over some day: not what rolls."""
        return self.kind != "rolling"

    def bounds(self, at: datetime, calendar: Timeline) -> PeriodBounds | None:
        """The period that holds `at`; None = none does: stated days are over, or to come."""
        found = self.shown(at, calendar)
        return found if found[0] <= at < found[1] else None

    def shown(self, at: datetime, calendar: Timeline) -> PeriodBounds:
        """The same; of stated days that do not hold `at`, those."""
        if self.kind == "rolling":
            assert self.last_hours is not None
            start = bucket_at("hour", at - (self.last_hours - 1) * _HOUR, calendar).start
            return max(start, calendar.stretch(at).start), bucket_at("hour", at, calendar).end
        if self.kind != "custom":
            return calendar.bounds(self.kind, at)
        assert self.starts_on is not None
        assert self.ends_on is not None
        start, end = calendar.midnight(self.starts_on), calendar.midnight(self.ends_on)
        if not start <= at < end:
            return start, end
        stretch = calendar.stretch(at)
        return max(start, stretch.start), min(end, stretch.end)

    def says(self) -> str:
        """After an amount: "a month", "from 2026-03-01 to 2026-03-31", "in any 7 days"."""
        if self.kind == "rolling":
            assert self.last_hours is not None
            days, hours = divmod(self.last_hours, 24)
            return f"in any {days} days" if days > 1 and not hours else f"in any {self.last_hours} hours"
        if self.kind == "custom":
            assert self.ends_on is not None
            return f"from {self.starts_on} to {self.ends_on - _DAY}"
        return f"a {self.kind}"


def period_trouble(period: BudgetPeriod) -> tuple[str, str] | None:
    """The field that is wrong, and why; None = it is a period."""
    kind, starts_on, ends_on, last_hours = period
    stated_days = starts_on is not None or ends_on is not None
    if stated_days and kind != "custom":
        return ("starts_on" if starts_on else "ends_on"), "is for the period custom"
    if last_hours is not None and kind != "rolling":
        return "last_hours", "is for the period rolling"
    if kind == "custom":
        if starts_on is None or ends_on is None:
            return ("starts_on" if starts_on is None else "ends_on"), "is needed: the period is custom"
        if not _DAY <= ends_on - starts_on <= CUSTOM_DAYS_MAX * _DAY:
            return "ends_on", f"is the day after the last one: 1 to {CUSTOM_DAYS_MAX:,} days after starts_on"
    if kind == "rolling" and (last_hours is None or not ROLLING_HOURS_MIN <= last_hours <= ROLLING_HOURS_MAX):
        return "last_hours", f"is needed: {ROLLING_HOURS_MIN} to {ROLLING_HOURS_MAX}, the period is rolling"
    return None


def rolling_refusal(*, hard: bool, forecast: bool) -> tuple[str, str] | None:
    """The field, and why what rolls cannot have it; None = it asks for nothing of the kind."""
    if hard:
        return "hard", (
            "is not for the period rolling: with each hour that leaves the window room comes back, so what "
            "is left of it cannot be held for anybody"
        )
    if forecast:
        return "forecast_thresholds_percent", (
            "are not for the period rolling: it has no end that could be forecast"
        )
    return None
