"""The span that another one is compared with: the one before, or the same days last month. Pure."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from spendmeter.contracts.money import EXACT, ZERO, divided
from spendmeter.contracts.periods import add_months, day_start

Compare = Literal["previous", "month"]
LengthUnit = Literal["days", "minutes"]
FromTo = tuple[datetime, datetime]
_HUNDRED = Decimal(100)

SpanShift = Callable[[datetime], datetime]
"""An instant of a span to the one that it is compared with."""


def shift_of(compare: Compare, start: datetime, end: datetime, zone: ZoneInfo) -> SpanShift:
    """Where [start, end) is compared with, instant by instant.

    `previous`: as long before. What begins with a local day goes back by whole days, at the same time of the
    clock: today until noon is held against yesterday until noon. `month`: the same days of last month; those
    that it does not have are its end, so March has no more to compare with than February was long."""
    if compare == "month":
        return lambda at: _last_month(at, zone)
    if not _is_midnight(start, zone):
        return lambda at: at - (end - start)
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    days = (last - start.astimezone(zone).date()).days + 1
    return lambda at: _on_day(at, at.astimezone(zone).date() - timedelta(days=days), zone)


def measure_of(now: FromTo, before: FromTo, zone: ZoneInfo) -> LengthUnit:
    """In what both are measured: in local days where they are of whole ones, as a day of 23 hours is a
    day."""
    return "days" if all(_is_midnight(at, zone) for at in (*now, *before)) else "minutes"


def lengths_of(now: FromTo, before: FromTo, zone: ZoneInfo) -> tuple[Decimal, Decimal]:
    """How long both are."""
    if measure_of(now, before, zone) == "minutes":
        of_now, of_before = ((end - start) // timedelta(minutes=1) for start, end in (now, before))
    else:
        of_now, of_before = (
            (end.astimezone(zone).date() - start.astimezone(zone).date()).days for start, end in (now, before)
        )
    return Decimal(of_now), Decimal(of_before)


def percent_of(change: Decimal, before: Decimal) -> Decimal | None:
    """The change in percent of what was before; None = there was nothing to compare with."""
    return divided(EXACT.multiply(change, _HUNDRED), before) if before > ZERO else None


def _last_month(at: datetime, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    first = add_months(local.date(), 0)
    day = add_months(first, -1) + timedelta(days=local.day - 1)
    return day_start(first, zone) if day >= first else _on_day(at, day, zone)


def _on_day(at: datetime, day: date, zone: ZoneInfo) -> datetime:
    """That day at the same time of the clock."""
    clock: time = at.astimezone(zone).time()
    return datetime.combine(day, clock, zone).astimezone(UTC) if clock != time() else day_start(day, zone)


def _is_midnight(at: datetime, zone: ZoneInfo) -> bool:
    return day_start(at.astimezone(zone).date(), zone) == at
