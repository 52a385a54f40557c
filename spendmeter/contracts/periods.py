"""Periods of one calendar: what a budget is for, in a zone and a fiscal year. A tenant's calendar may change:
its periods through time are in terms.py."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[str, ...] = get_args(Period)
_MONTHS: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


def period_bounds(
    period: Period, at: datetime, zone: ZoneInfo, fiscal_start_month: int = 1, first_weekday: int = 1
) -> tuple[datetime, datetime]:
    """[start, end) in UTC of the period that holds the instant `at`.

    Weeks begin on `first_weekday` (ISO), quarters and years count from the fiscal year's first month; a day
    has 23, 24 or 25 hours.
    """
    return period_of_day(period, at.astimezone(zone).date(), zone, fiscal_start_month, first_weekday)


def period_of_day(
    period: Period, day: date, zone: ZoneInfo, fiscal_start_month: int = 1, first_weekday: int = 1
) -> tuple[datetime, datetime]:
    """The same of the period that holds a local day."""
    if period == "day":
        first, beyond = day, day + timedelta(days=1)
    elif period == "week":
        first = day - timedelta(days=(day.isoweekday() - first_weekday) % 7)
        beyond = first + timedelta(days=7)
    else:
        months = _MONTHS[period]
        into = (day.month - (1 if period == "month" else fiscal_start_month)) % months
        first = add_months(day, -into)
        beyond = add_months(first, months)
    return day_start(first, zone), day_start(beyond, zone)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC (where midnight is skipped, the instant of the skip)."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """The first day of the month that lies `months` after `day`'s."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
