"""The hours at which LiteLLM says that a model is cheaper, as the windows of a calendar.

LiteLLM reads hours in UTC and the weekday of the same instant in `weekday_timezone` (UTC where there is
none). A window here has one clock for both, so the hours are moved to that zone; a zone whose offset changes
in the course of a year has no such window, and the field is not taken over.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from spendmeter.pricing.catalog.files import clock

_DAY = 24 * 60
_SPAN = re.compile(r"\s*([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)\s*")
_MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hours_utc: str | list[str]
    weekdays: list[int | str] | None = None


class OffPeak(NamedTuple):
    """A calendar's name and zone, and its windows as a price file writes them."""

    calendar: str
    time_zone: str
    windows: list[dict[str, Any]]


def off_peak(stated: dict[str, Any]) -> OffPeak:
    """The hours of an `off_peak_pricing`, without its prices. Raises ValueError for what no window says."""
    known = {"hours_utc", "windows", "weekday_timezone"}
    if unknown := stated.keys() - known:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")
    zone = msgspec.convert(stated.get("weekday_timezone", "UTC"), str)
    rules = msgspec.convert(stated.get("windows", []), list[_Rule])
    if "hours_utc" in stated:
        rules.append(msgspec.convert({"hours_utc": stated["hours_utc"]}, _Rule))
    if not rules:
        raise ValueError("no hours")
    offset = _offset(zone)
    windows = [window for rule in rules for window in _windows(rule, offset)]
    return OffPeak(zone.lower(), zone, windows)


def _offset(zone: str) -> int:
    """Minutes east of UTC."""
    try:
        offsets = {month.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for month in _MONTHS}
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"no time zone {zone!r}") from None
    if len(offsets) > 1:
        raise ValueError(f"hours of UTC on days of {zone}, whose clock changes")
    return int(offsets.pop() / timedelta(minutes=1))


def _windows(rule: _Rule, offset: int) -> Iterator[dict[str, Any]]:
    """Cut at midnight of the zone: the day of the week is that of the instant, not of the window's start."""
    days = [*range(1, 8)] if rule.weekdays is None else sorted({_day(day) for day in rule.weekdays})
    for span in [rule.hours_utc] if isinstance(rule.hours_utc, str) else rule.hours_utc:
        found = _SPAN.fullmatch(span)
        if found is None:
            raise ValueError(f"the hours {span!r:.40}")
        start, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
        length = (end - start) % _DAY or _DAY
        first = (start + offset) % _DAY
        yield {"days": days, "start": clock(first), "end": clock(min(first + length, _DAY))}
        if first + length > _DAY:
            yield {"days": days, "start": "00:00", "end": clock(first + length - _DAY)}


def _day(day: int | str) -> int:
    if isinstance(day, str):
        return _DAY_NAMES.index(day.strip().lower()[:3]) + 1
    if not 1 <= day <= 7:
        raise ValueError(f"a weekday {day}")
    return day
