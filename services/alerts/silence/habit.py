"""When a source is usually heard: how long it pauses at this time of the week, what it seldom misses. Pure.

The same time of an earlier week is read twice where the clock was changed in between: by the clock on the
wall, and by the hours that have passed. The longer pause counts: some go by the one, some by the other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from services.alerts.rates import HOUR
from services.alerts.scopes import MINUTE

WEEK = timedelta(days=7)
WEEKS = 4
HISTORY = (WEEKS + 1) * WEEK
"""Of this the hours are read: what comes once a week was last heard a week before the first of four."""
NEAR_MIN = timedelta(minutes=30)
LATE_PARTS = 24
"""What pauses for a day may be an hour late, what pauses for a week seven."""
SEEN_FROM = 4
"""Of so many weeks the strangest one does not count: a failure of then must not hide the next one."""
WORKDAYS_MIN = 3
LATE_HOURS = 2
KEEPS, KEEPS_OF = 4, 5
"""Four in five of the hours in which it is heard."""
CLOCKWORK, CLOCKWORK_OF = 3, 4
"""Its longest pause is no longer than four thirds of its middle one."""
CLOCKWORK_MIN = 3

Number = TypeVar("Number", int, timedelta)
Slot = TypeVar("Slot", int, tuple[int, int])


@dataclass(frozen=True, kw_only=True, eq=False)
class Habit:
    """The hours in which one source was heard, in the tenant's zone, and the weeks in which it was known."""

    zone: ZoneInfo
    since: datetime
    """When it was first booked."""
    hours: Sequence[datetime]
    """Their starts, in order, of HISTORY at most."""

    def weeks_known(self, at: datetime) -> int:
        """How many whole weeks before `at` it was known, four at most."""
        return max(0, min(WEEKS, (at - self.since) // WEEK))

    def usual_pause(
        self, at: datetime, silent_for: timedelta, minutes: Sequence[datetime] = ()
    ) -> timedelta | None:
        """How long it had been silent around this time of the week, at most; None = nothing is known of it.

        `minutes`: those near these times in which it was heard. Without them hours say it, and these say up
        to two hours more than there were."""
        near = near_of(silent_for)
        pauses = [
            max(self._oldest(time - near, time + near, minutes) for time in times)
            for times in same_times(at, self.zone)
            if times[0] - near >= self.since
        ]
        return second_highest(pauses) if pauses else None

    @cached_property
    def keeps_hours(self) -> bool:
        """Whether it is mostly heard in hours of the week in which it usually is."""
        heard = [slot in self._usual_hours for week in self._weeks for slot in week]
        return sum(heard) * KEEPS_OF >= len(heard) * KEEPS

    def is_usual(self, at: datetime) -> bool:
        """Whether it is usually heard in this hour of the week, or in the one before."""
        return self._slot(at) in self._usual_hours

    def missed(self, heard_until: datetime, at: datetime) -> int:
        """How many whole hours it has missed since in which it usually is heard."""
        return sum(self.is_usual(hour) for hour in _hours(_full_hour(heard_until) + HOUR, at))

    def is_late(self, at: datetime) -> bool:
        """Whether it has missed two of its hours, or half of them, if it was not heard on this day."""
        local = at.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        hours = sum(day == local.weekday() for day, _ in self._usual_hours)
        return self.missed(midnight - HOUR, at) >= min(LATE_HOURS, max(1, hours // 2))

    def usually_misses(self, at: datetime) -> int:
        """How many of its usual hours in a row it misses in most weeks: at about this time of the day, but of
        what people stand behind at any."""
        clock = {self._slot(at - number * HOUR)[1] for number in range(24 if self.rests else 3)}
        longest = [0] * len(self._weeks)
        for week, run in self._missed_runs:
            if clock.intersection(hour for _, hour in run):
                longest[week] = max(longest[week], 0 if self._is_at_edge(run) else len(run))
        return second_highest(longest) if longest else 0

    @cached_property
    def longest_pause(self) -> timedelta:
        """The longest at any time, in most weeks."""
        longest = [timedelta()] * len(self._weeks)
        for before, after in pairwise(self.hours):
            week = (self._end - after - HOUR) // WEEK
            if week < len(longest):
                longest[week] = max(longest[week], after + HOUR - before)
        return second_highest(longest) if longest else timedelta()

    @cached_property
    def is_clockwork(self) -> bool:
        """Whether it pauses for about the same time each time."""
        pauses = sorted(after - before for before, after in pairwise(self.hours) if after - before > HOUR)
        if len(pauses) < CLOCKWORK_MIN:
            return False
        return self.longest_pause * CLOCKWORK <= pauses[len(pauses) // 2] * CLOCKWORK_OF

    @cached_property
    def rests(self) -> bool:
        """Whether it works on three days of the week at least, and rests on one: people stand behind it."""
        days = {day for week in self._days for day in week}
        return len(self._weeks) >= 2 and len(days) < 7 and len(self._workdays) >= WORKDAYS_MIN

    def workdays_missed(self, heard_until: datetime, at: datetime) -> int:
        """Its workdays that have begun since the day on which it was last heard."""
        first, last = (each.astimezone(self.zone).date() for each in (heard_until - MINUTE, at))
        later = (first + timedelta(days=number + 1) for number in range((last - first).days))
        return sum(day.weekday() in self._workdays for day in later)

    def is_before_today(self, heard_until: datetime, at: datetime) -> bool:
        """Whether the local day has begun since."""
        return (heard_until - MINUTE).astimezone(self.zone).date() < at.astimezone(self.zone).date()

    @cached_property
    def _weeks(self) -> list[set[tuple[int, int]]]:
        """Of each whole week that is known, the newest first, weekdays and hours: in which it was heard, and
        the ones after them, for what comes about the full hour comes before it or after it."""
        if not self.hours:
            return []
        end = self._end
        weeks: list[set[tuple[int, int]]] = [set() for _ in range(self.weeks_known(end))]
        for hour in self.hours:
            number = (end - hour - HOUR) // WEEK
            if number < len(weeks):
                weeks[number].update((self._slot(hour), self._slot(hour + HOUR)))
        return weeks

    @cached_property
    def _usual_hours(self) -> frozenset[tuple[int, int]]:
        return _usual((slot for week in self._weeks for slot in week), len(self._weeks))

    @cached_property
    def _workdays(self) -> frozenset[int]:
        return _usual((day for week in self._days for day in week), len(self._weeks))

    @cached_property
    def _days(self) -> list[set[int]]:
        days: list[set[int]] = [set() for _ in self._weeks]
        for hour in self.hours:
            number = (self._end - hour - HOUR) // WEEK
            if number < len(days):
                days[number].add(self._slot(hour)[0])
        return days

    @cached_property
    def _missed_runs(self) -> list[tuple[int, list[tuple[int, int]]]]:
        """Usual hours that it missed, one after the other, each with the week's number."""
        found: list[tuple[int, list[tuple[int, int]]]] = []
        heard = {each for hour in self.hours for each in (hour, hour + HOUR)}
        run: list[tuple[int, int]] = []
        for hour in _hours(self._end - len(self._weeks) * WEEK, self._end):
            slot = self._slot(hour)
            if slot not in self._usual_hours:
                continue
            if hour not in heard:
                run.append(slot)
            elif run:
                found.append(((self._end - hour - HOUR) // WEEK, run))
                run = []
        return found

    def _is_at_edge(self, run: Sequence[tuple[int, int]]) -> bool:
        """Whether it began a usual stretch an hour late, or ended one so early: that is no miss."""
        if len(run) > 1:
            return False
        [(day, hour)] = run
        return any((day, each) not in self._usual_hours for each in (hour - 1, hour + 1) if each in range(24))

    @property
    def _end(self) -> datetime:
        return self.hours[-1] + HOUR

    def _slot(self, at: datetime) -> tuple[int, int]:
        local = at.astimezone(self.zone)
        return local.weekday(), local.hour

    def _oldest(self, start: datetime, end: datetime, minutes: Sequence[datetime]) -> timedelta:
        return min(oldest(self.hours, HOUR, start, end), oldest(minutes, MINUTE, start, end))


def _usual(heard: Iterable[Slot], weeks: int) -> frozenset[Slot]:
    """What is heard in both of two weeks, or in all but one of three or four."""
    least = max(1, weeks - (weeks >= 3))
    return frozenset(slot for slot, times in Counter(heard).items() if times >= least)


def near_of(silent_for: timedelta) -> timedelta:
    """How long around the same time of an earlier week it must have been heard as well."""
    return max(NEAR_MIN, silent_for / LATE_PARTS)


def same_times(at: datetime, zone: ZoneInfo) -> list[tuple[datetime, ...]]:
    """The same time of the four weeks before, in UTC: of each one instant, or two in order."""
    local, found = at.astimezone(zone), []
    for number in range(1, WEEKS + 1):
        on_the_wall = (local - number * WEEK).astimezone(UTC)
        found.append(tuple(sorted({on_the_wall, (at - number * WEEK).astimezone(UTC)})))
    return found


def oldest(marks: Sequence[datetime], unit: timedelta, start: datetime, end: datetime) -> timedelta:
    """How old the last sign of a source was at most in [start, end]; a mark: one came within `unit` of it."""
    place = bisect_right(marks, start - unit) - 1
    if place < 0:
        return HISTORY
    before, age = marks[place], timedelta()
    for mark in marks[place + 1 : bisect_left(marks, end)]:
        age = max(age, min(mark + unit, end) - before)
        before = mark
    return max(age, end - before)


def second_highest(values: Iterable[Number]) -> Number:
    """The highest; of four the second one."""
    ordered = sorted(values, reverse=True)
    return ordered[1] if len(ordered) >= SEEN_FROM else ordered[0]


def _full_hour(at: datetime) -> datetime:
    floor = at.replace(minute=0, second=0, microsecond=0)
    return floor if floor == at else floor + HOUR


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """The starts of the whole hours of [start, end)."""
    for number in range((end - start) // HOUR):
        yield start + number * HOUR
