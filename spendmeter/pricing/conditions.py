"""When a price applies: the conditions of an entry, compiled, and whether two of them can hold at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spendmeter.contracts.catalog import ANY, HOLIDAY, CalendarEntry, Conditions, HoursWindow
from spendmeter.pricing.dates import begins, ends

_DAY = 24 * 60
_NO_LIMIT = 2**63
STANDARD, BATCH = "standard", "batch"
"""The tier that needs no name, and the one that is a batch of it; every other spelling is data."""


class CatalogError(ValueError):
    """Entries that cannot be put in force: the message names them and the rule they break."""


class Week:
    """A vendor's week, minute by minute, on the vendor's calendar: `instant in week`."""

    __slots__ = ("_holidays", "_minutes", "_zone", "calendar")

    def __init__(self, windows: tuple[HoursWindow, ...], calendar: CalendarEntry) -> None:
        self.calendar = calendar.name
        try:
            self._zone = ZoneInfo(calendar.time_zone)
            self._holidays = frozenset(map(date.fromisoformat, calendar.holidays))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise CatalogError(f"calendar {calendar.name}, entry {calendar.id}: {error}") from None
        # Days 1 to 8 and the day after each: a window past midnight belongs to the day on which it starts.
        self._minutes = bytearray((HOLIDAY + 1) * 2 * _DAY)
        for window in windows:
            start, end = _minute(window.start), _minute(window.end)
            end += 0 if end > start else _DAY
            for day in window.days:
                base = day * 2 * _DAY
                self._minutes[base + start : base + end] = b"\1" * (end - start)

    def __contains__(self, instant: datetime) -> bool:
        local = instant.astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        today = local.date()
        if self._minutes[self._weekday(today) * 2 * _DAY + minute]:
            return True
        yesterday = date.fromordinal(today.toordinal() - 1)
        return bool(self._minutes[self._weekday(yesterday) * 2 * _DAY + _DAY + minute])

    def clock(self, instant: datetime) -> str:
        """The instant as the vendor's clock and calendar show it."""
        local = instant.astimezone(self._zone)
        holiday = ", a holiday" if local.date() in self._holidays else ""
        return f"{local:%A %H:%M:%S %Z}{holiday}"

    def _weekday(self, day: date) -> int:
        return HOLIDAY if day in self._holidays else day.isoweekday()

    def overlaps(self, other: Week) -> bool:
        """Whether an instant may lie in both; weeks on different calendars are taken to overlap."""
        if self.calendar != other.calendar:
            return True
        return any(a & b for a, b in zip(self._unrolled(), other._unrolled(), strict=True))

    def _unrolled(self) -> bytes:
        """Days 1 to 8, each with what may spill into it; a holiday may follow and precede any."""
        days = {day: self._minutes[day * 2 * _DAY :][: 2 * _DAY] for day in range(1, HOLIDAY + 1)}
        unrolled = bytearray()
        for day in days:
            before = days if day == HOLIDAY else {(day - 2) % 7 + 1, HOLIDAY}
            layers = [days[day][:_DAY], *(days[other][_DAY:] for other in before)]
            unrolled += bytes(map(max, *layers))
        return bytes(unrolled)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def check_calendar(calendar: CalendarEntry) -> None:
    """Raises CatalogError for one that no window could be read on."""
    Week((), calendar)


class Bounds:
    """The conditions that differ from event to event: `holds(instant, context tokens)`."""

    __slots__ = ("end", "high", "low", "start", "week")

    def __init__(self, when: Conditions, calendars: Mapping[str, CalendarEntry]) -> None:
        self.start, self.end = begins(when), ends(when)
        if self.start >= self.end:
            raise CatalogError(f"effective_to {self.end} is not after effective_from {self.start}")
        low, high = when.context_min, when.context_max
        self.low = -1 if low is None else low + (not when.context_min_inclusive)
        self.high = _NO_LIMIT if high is None else high - (not when.context_max_inclusive)
        if self.low > self.high:
            raise CatalogError(f"no context length lies between {low} and {high}")
        self.week: Week | None = None
        if when.windows:
            if when.calendar not in calendars:
                raise CatalogError(f"windows need a calendar, and there is none named {when.calendar!r}")
            self.week = Week(when.windows, calendars[when.calendar])

    def holds(self, instant: datetime, context: int) -> bool:
        """Whether an event at `instant` with `context` tokens meets them."""
        return (
            self.start <= instant < self.end
            and self.low <= context <= self.high
            and (self.week is None or instant in self.week)
        )

    def overlaps(self, other: Bounds) -> bool:
        """Whether some event meets both."""
        return (
            self.start < other.end
            and other.start < self.end
            and self.low <= other.high
            and other.low <= self.high
            and (self.week is None or other.week is None or self.week.overlaps(other.week))
        )


class Served(NamedTuple):
    """What served an event."""

    batch: bool
    tier: str
    """By its own name, however it was spelled; lower case, as is the region."""
    region: str
    """'' = none is stated."""
    group: str | None = None
    """Of regions, that this one belongs to: '' = it says nothing of where, None = of none that is known."""

    @property
    def is_anywhere(self) -> bool:
        """Whether it says nothing of where."""
        return not self.region or self.group == ""


class Specificity(NamedTuple):
    """What conditions say anything of. Of two entries, that wins which says more of the first part in which
    they differ."""

    batch: bool = False
    tier: bool = False
    region: int = 0
    """2 = the region itself, 1 = its group."""
    hours: bool = False
    context: bool = False


_NOTHING = Specificity()


def admits(when: Conditions, by: Served) -> bool:
    """Whether the conditions hold for what served."""
    return (
        (when.batch is None or when.batch == by.batch)
        and (not when.tiers or by.tier in when.tiers)
        and (not when.regions or by.region in when.regions or by.group in when.regions)
    )


def specificity(when: Conditions, by: Served | None = None) -> Specificity:
    """What the conditions say anything of, about what served (None = whatever they name)."""
    if when is ANY:
        return _NOTHING
    named = by is None or by.region in when.regions
    return Specificity(
        when.batch is not None,
        bool(when.tiers),
        (2 if named else 1) if when.regions else 0,
        bool(when.windows),
        when.context_min is not None or when.context_max is not None,
    )


def states_as_much(one: Conditions, other: Conditions) -> bool:
    """Whether one states a batch, a tier or a region, of which the other states the same."""
    return bool(
        (one.batch is not None and other.batch is not None)
        or (one.tiers and other.tiers)
        or (one.regions and other.regions)
    )


def served_overlap(one: Conditions, other: Conditions) -> bool:
    """Whether something may serve that both admit."""
    return (
        (one.batch is None or other.batch is None or one.batch == other.batch)
        and (not one.tiers or not other.tiers or not set(one.tiers).isdisjoint(other.tiers))
        and (not one.regions or not other.regions or not set(one.regions).isdisjoint(other.regions))
    )
