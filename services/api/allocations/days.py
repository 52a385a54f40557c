"""The days that a question about allocation is of: whole ones, of the tenant. Pure."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Query

from services.api.database.tenant import Tenant
from services.api.http.problems import invalid
from services.api.http.spans import RANGE_DAYS_MAX, YEARS, RangeName, named_span
from spendmeter.contracts.periods import add_months

_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_DAY = timedelta(days=1)
_BY_THE_HOUR = ("last_hour", "last_24_hours")

FromDay = Annotated[
    str | None, Query(alias="from", description="the first day, of the tenant", examples=["2026-11-01"])
]
ToDay = Annotated[str | None, Query(alias="to", description="the day after the last one")]
RangeOfDays = Annotated[
    RangeName | None,
    Query(description="days by name instead, as in /v1/spend; without any of these: month_to_date"),
]
Month = Annotated[
    str | None,
    Query(description="a month of the tenant; without one, the one that runs", examples=["2026-10"]),
]
Dimension = Annotated[str, Query(description="to whose values cost is handed on", examples=["team"])]


def days_of(
    start: str | None, end: str | None, name: RangeName | None, tenant: Tenant, now: datetime
) -> tuple[date, date]:
    """Days [first, beyond). Raises HttpRefusal (422)."""
    today = tenant.timeline.day(now)
    if name is not None and (start is not None or end is not None):
        raise invalid("range", "stands instead of from and to: give the range or these, not both")
    if name in _BY_THE_HOUR:
        raise invalid("range", "cost is handed on by whole days: today, last_7_days, month_to_date ...")
    if name is not None:
        since, until = named_span(name, tenant.calendar(), now)
        return tenant.timeline.day(since), tenant.timeline.day(until - timedelta(microseconds=1)) + _DAY
    first = _day("from", start) if start is not None else add_months(today, 0)
    beyond = _day("to", end) if end is not None else max(today, first) + _DAY
    if first >= beyond:
        raise invalid("from", f"must be before to; {first} is not before {beyond}")
    if beyond - first > timedelta(days=RANGE_DAYS_MAX):
        raise invalid("to", f"may be at most {RANGE_DAYS_MAX} days after from")
    return first, beyond


def month_of(text: str | None, tenant: Tenant, now: datetime) -> tuple[date, date]:
    """The days of a month. Raises HttpRefusal (422)."""
    if text is None:
        first = add_months(tenant.timeline.day(now), 0)
    elif not _MONTH.fullmatch(text):
        raise invalid("month", "must be a month such as 2026-10")
    else:
        first = _day("month", f"{text}-01")
    return first, add_months(first, 1)


def last_month(tenant: Tenant, now: datetime) -> str:
    """The one before the month that runs."""
    return f"{add_months(tenant.timeline.day(now), -1):%Y-%m}"


def _day(field: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise invalid(field, "must be a day such as 2026-11-25, which begins in the tenant's zone") from None
    if not YEARS[0] <= day.year < YEARS[1]:
        raise invalid(field, f"must lie in the years {YEARS[0]} to {YEARS[1] - 1}")
    return day
