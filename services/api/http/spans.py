"""The span that a question is about: instants and days as people write them, and ranges by name. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Query

from services.api.http.problems import invalid
from spendmeter.contracts.periods import add_months, day_start, period_bounds

RangeName = Literal[
    "last_hour",
    "last_24_hours",
    "today",
    "yesterday",
    "this_week",
    "last_week",
    "month_to_date",
    "last_month",
    "quarter_to_date",
    "last_quarter",
    "last_7_days",
    "last_30_days",
    "last_90_days",
]
RANGES: tuple[str, ...] = get_args(RangeName)
_OF_HOURS = ("last_hour", "last_24_hours")
_OVER = ("yesterday", "last_week", "last_month", "last_quarter")
"""Ranges that end with a day; the others end now."""

RANGE_DAYS_MAX = 400
YEARS = (2000, 2100)
_MINUTE = timedelta(minutes=1)
_A_DAY = timedelta(days=1)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_PLUS_LOST = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)? \d{2}:?\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TenantCalendar:
    """Whose days, weeks and quarters are meant; `week_start` 0 = Monday."""

    zone: ZoneInfo
    week_start: int = 0
    fiscal_start_month: int = 1


class SpanQuestion(NamedTuple):
    """A span as it is asked for: `range` by name, or `start` and `end` as people write them; in `tz`."""

    range: RangeName | None = None
    start: str | None = None
    end: str | None = None
    tz: str | None = None


async def _span_parameters(
    start: Annotated[
        str | None,
        Query(
            alias="from",
            description="inclusive: an instant with its offset, or a day, which begins in `tz`",
            examples=["2026-11-25", "2026-11-25T10:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            alias="to",
            description="exclusive: `to=2026-11-26` ends with the 25th",
            examples=["2026-11-26", "2026-11-25T11:00:00Z"],
        ),
    ] = None,
    range: Annotated[
        RangeName | None,
        Query(
            description="a range by name, instead of from and to: days, weeks and months of `tz`; what is "
            "not over ends now, and `last_7_days` is today with the six days before"
        ),
    ] = None,
    tz: Annotated[str | None, Query(description="an IANA zone; default: the tenant's")] = None,
) -> SpanQuestion:
    return SpanQuestion(range, start, end, tz)


SpanParameters = Annotated[SpanQuestion, Depends(_span_parameters)]
"""A route's parameters from, to, range and tz."""


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone. Raises HttpRefusal (422) when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("tz", f"{name[:64]!r} is not an IANA time zone such as Europe/Berlin") from None


def span_of(
    question: SpanQuestion, calendar: TenantCalendar, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """(from, to), by name or one by one; None where nothing is asked for. Raises HttpRefusal (422)."""
    if question.range is None:
        zone = calendar.zone
        return instant_of("from", question.start, zone), instant_of("to", question.end, zone)
    if question.start is not None or question.end is not None:
        raise invalid("range", "stands instead of from and to: give the range or these, not both")
    return named_span(question.range, calendar, now)


def instant_of(field: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """What people write: an instant with its offset, or a day, which is its start in `zone`.

    Raises HttpRefusal (422), naming `field` and what is allowed.
    """
    if text is None:
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        raise invalid(
            field,
            "is a bare number, which could count seconds or milliseconds: write 2026-11-25 or "
            "2026-11-25T10:00:00Z",
        )
    if _PLUS_LOST.fullmatch(text):
        raise invalid(
            field,
            "has a space where its offset begins: a + in an address arrives as a space, so write it %2B "
            "(2026-11-25T10:00:00%2B01:00), or give the instant in UTC with Z",
        )
    try:
        if _DAY.fullmatch(text):
            return day_start(date.fromisoformat(text), zone)
        if _INSTANT.fullmatch(text):
            return _aware(field, datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError):
        raise invalid(field, "names a day or an hour that no calendar has") from None
    raise invalid(field, "must be a day (2026-11-25) or an instant with its offset (2026-11-25T10:00:00Z)")


def _aware(field: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise invalid(
            field,
            "has no offset: end it with Z or +01:00 (%2B01:00 in an address), or give a day alone, in `tz`",
        )
    return at


def named_span(name: RangeName, calendar: TenantCalendar, now: datetime) -> tuple[datetime, datetime]:
    """[start, end) of a range by name, as of `now`: in UTC, days those of the calendar's zone."""
    zone = calendar.zone
    today = now.astimezone(zone).date()
    week = week_of(today, calendar.week_start)
    quarter = period_bounds("quarter", now, zone, calendar.fiscal_start_month)[0]

    def days(first: date, beyond: date | None = None) -> tuple[datetime, datetime]:
        return day_start(first, zone), now if beyond is None else day_start(beyond, zone)

    def last_quarter() -> tuple[datetime, datetime]:
        a_day_of_it = quarter - timedelta(days=1)
        return period_bounds("quarter", a_day_of_it, zone, calendar.fiscal_start_month)

    spans: dict[str, Callable[[], tuple[datetime, datetime]]] = {
        "last_hour": lambda: (now - timedelta(hours=1), now),
        "last_24_hours": lambda: (now - timedelta(hours=24), now),
        "today": lambda: days(today),
        "yesterday": lambda: days(today - timedelta(days=1), today),
        "this_week": lambda: days(week),
        "last_week": lambda: days(week - timedelta(days=7), week),
        "month_to_date": lambda: days(add_months(today, 0)),
        "last_month": lambda: days(add_months(today, -1), add_months(today, 0)),
        "quarter_to_date": lambda: (quarter, now),
        "last_quarter": last_quarter,
        "last_7_days": lambda: days(today - timedelta(days=6)),
        "last_30_days": lambda: days(today - timedelta(days=29)),
        "last_90_days": lambda: days(today - timedelta(days=89)),
    }
    return spans[name]()


def named_days(name: RangeName, calendar: TenantCalendar, now: datetime) -> tuple[date, date]:
    """The same as days [from, to) of the calendar, the one that is not over as a whole. Raises HttpRefusal
    (422) for a range of hours."""
    if name in _OF_HOURS:
        raise invalid("range", f"{name} is no range of days, and days are what is counted here")
    start, end = (each.astimezone(calendar.zone).date() for each in named_span(name, calendar, now))
    return start, end if name in _OVER else end + _A_DAY


def week_of(day: date, week_start: int) -> date:
    """The first day of the week that holds `day`; weeks begin on `week_start` (0 = Monday)."""
    return day - timedelta(days=(day.weekday() - week_start) % 7)


def whole_minutes(
    start: datetime | None, end: datetime | None, zone: ZoneInfo, now: datetime
) -> tuple[datetime, datetime]:
    """[start, end) in UTC, widened to whole minutes, for rollups know nothing finer.

    Without a start, today's in `zone`; without an end, the minute that is open now and all before it.
    """
    start = day_start(now.astimezone(zone).date(), zone) if start is None else start
    start, end = checked_range(start, now if end is None else end)
    floor = start.replace(second=0, microsecond=0)
    ceiling = end.replace(second=0, microsecond=0)
    return floor, ceiling + _MINUTE if ceiling < end else ceiling


def in_whole_minutes(parameters: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same question of instants that are widened as `whole_minutes` does: dashboards ask for the last
    hour to the microsecond, and all of a minute ask for one thing."""
    return [(name, _minute_of(name, value)) for name, value in parameters]


def _minute_of(name: str, text: str) -> str:
    """As it is, if it is not an instant: who reads it says so."""
    if name not in ("from", "to") or not _INSTANT.fullmatch(text):
        return text
    try:
        at = datetime.fromisoformat(text.upper())
        minute = at.replace(second=0, microsecond=0)
        return (minute + _MINUTE if name == "to" and minute < at else minute).isoformat()
    except (ValueError, OverflowError):
        return text


def checked_range(
    start: datetime, end: datetime, days_max: int = RANGE_DAYS_MAX
) -> tuple[datetime, datetime]:
    """[start, end) in UTC. Raises HttpRefusal (422)."""
    for field, value in (("from", start), ("to", end)):
        if not YEARS[0] <= value.year < YEARS[1]:
            raise invalid(field, f"must lie in the years {YEARS[0]} to {YEARS[1] - 1}")
    if start >= end:
        raise invalid("from", f"must be before to; {start.isoformat()} is not before {end.isoformat()}")
    if end - start > timedelta(days=days_max):
        raise invalid("to", f"may be at most {days_max} days after from")
    return start.astimezone(UTC), end.astimezone(UTC)


FirstDay = Annotated[
    date | None, Query(alias="from", description="a day of UTC; default: 30 days before `to`")
]
UntilDay = Annotated[date | None, Query(alias="to", description="exclusive, a day of UTC; default: tomorrow")]


def day_range(
    start: date | None, end: date | None, today: date, *, days: int, days_max: int
) -> tuple[date, date]:
    """Days [from, to) of UTC; without a `to` until the end of today, without a `from` so many `days`. Raises
    HttpRefusal (422)."""
    for field, day in (("from", start), ("to", end)):
        if day is not None and not YEARS[0] <= day.year < YEARS[1]:
            raise invalid(field, f"is a day of the years {YEARS[0]} to {YEARS[1] - 1}")
    end = end or today + timedelta(days=1)
    start = start or end - timedelta(days=days)
    if not 0 < (end - start).days <= days_max:
        raise invalid("from", f"is before `to`, and at most {days_max} days")
    return start, end
