"""Counters: what each watched filter of one tenant has come to, in days, hours and minutes. Pure.

Nothing here knows a series, so a counter is as small for a hundred thousand of them as for one. All of it may
vanish at any instant: the reader fills it from the rollups before anything is evaluated.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.alerts.rates import per_hour
from services.alerts.scopes import MINUTE
from spendmeter.book.sizes import BucketSpan, hours_of
from spendmeter.contracts.money import EXACT, ZERO, total
from spendmeter.contracts.terms import Timeline

MINUTES_KEPT = timedelta(minutes=10)
"""Minutes younger than this stay apart, for little is later; then they become hours, and hours days."""
LEADERS_MAX = 4
"""The largest series that a part remembers of each counter: they tell an incident's top contributor."""
BURST_SPAN = timedelta(seconds=10)
BURST_SPAN_MIN = timedelta(seconds=2)
LOOKS_MAX = 16
"""Readings kept for the rate of the last BURST_SPAN, a second apart when the stream flows."""


class CounterKey(NamedTuple):
    """What is counted: money in `currency` of the series that have every (dimension, value); () = all."""

    currency: str
    scope: tuple[tuple[str, str], ...]


def counter_key(scope: Mapping[str, str], currency: str) -> CounterKey:
    """The counter of a budget's filter or an incident's scope."""
    return CounterKey(currency, tuple(sorted(scope.items())))


class Leader(NamedTuple):
    """A series that spent much."""

    series_id: bytes
    amount: Decimal


class CounterSum(NamedTuple):
    """An amount, the part of it that is priced by an upper bound, its largest series, and how much of it is
    corrections'."""

    effective: Decimal
    provisional: Decimal
    leaders: tuple[Leader, ...] = ()
    corrected: Decimal = ZERO

    def plus(self, other: CounterSum) -> CounterSum:
        """The exact sum. A leader's is what it spent where it was among the largest: so much at least."""
        add = EXACT.add
        leaders = self.leaders or other.leaders
        if self.leaders and other.leaders:
            amounts = dict(self.leaders)
            for series_id, amount in other.leaders:
                amounts[series_id] = add(amounts.get(series_id, ZERO), amount)
            ranked = sorted(amounts.items(), key=lambda item: -item[1])[:LEADERS_MAX]
            leaders = tuple(Leader(*each) for each in ranked)
        return CounterSum(
            add(self.effective, other.effective),
            add(self.provisional, other.provisional),
            leaders,
            add(self.corrected, other.corrected),
        )


NOTHING = CounterSum(ZERO, ZERO)


@dataclass(kw_only=True)
class Part:
    """[start, end): a day, an hour or a minute that is over, and what was counted in it."""

    start: datetime
    end: datetime
    sums: dict[CounterKey, CounterSum] = field(default_factory=dict)
    """Counters that are missing have not been read yet."""
    read_at_s: float = 0.0
    """By the monotonic clock: a step of the wall clock must not keep a part from being read again."""
    dirty: bool = False

    def put(self, sums: Mapping[CounterKey, CounterSum], at_s: float) -> None:
        """Replace what was known of these counters by what was read at `at_s`."""
        self.sums = dict(sums)
        self.read_at_s, self.dirty = at_s, False


def edges(
    since: datetime, now: datetime, calendar: Timeline, hours_since: datetime | None = None
) -> list[tuple[datetime, datetime]]:
    """[since, the open minute) cut at the tenant's midnights into days, hours and minutes, oldest first.

    It begins with the day that holds `since`. Whatever is younger than MINUTES_KEPT is cut into minutes, and
    days that reach beyond `hours_since` into hours: a window that rolls begins within one.
    """
    open_minute = now.replace(second=0, microsecond=0)
    old = open_minute - MINUTES_KEPT
    cut: list[tuple[datetime, datetime]] = []
    start, end = calendar.bounds("day", since)
    while start < open_minute:
        if end <= old and (hours_since is None or end <= hours_since):
            cut.append((start, end))
            start = end
        hours = hours_of(start, end, calendar.stretch(start).terms.zone) if start < end else []
        while start < min(end, open_minute):
            hour = hours[bisect_right(hours, start)]
            after = hour if hour <= old else start + MINUTE
            cut.append((start, after))
            start = after
        end = calendar.bounds("day", start)[1]
    return cut


class Counters:
    """`parts` must be laid out and read, then the open minutes taken over, before anything is asked."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._open: dict[datetime, dict[CounterKey, CounterSum]] = {}
        self._looks: deque[tuple[datetime, dict[tuple[CounterKey, datetime], Decimal]]] = deque(
            maxlen=LOOKS_MAX
        )
        self._settled: dict[tuple[CounterKey, datetime, datetime], CounterSum] = {}

    def lay_out(self, cut: Sequence[tuple[datetime, datetime]]) -> None:
        """Make the parts those of `cut`: known ones stay, finer ones become one, what is left is blank."""
        if [(part.start, part.end) for part in self.parts] == list(cut):
            return
        self.parts = [self._part(start, end) for start, end in cut]
        self._settled.clear()

    def put(self, part: Part, sums: Mapping[CounterKey, CounterSum], at_s: float) -> None:
        """A part was read."""
        part.put(sums, at_s)
        if part.end - part.start > MINUTE:
            self._settled.clear()

    def take_open(self, minutes: Mapping[datetime, dict[CounterKey, CounterSum]], now: datetime) -> None:
        """Take over the open minute and what is dated ahead of it, as read at `now`."""
        self._open = dict(minutes)
        since = now.replace(second=0, microsecond=0) - MINUTE
        self._looks.append((now, dict(self._recent(since, now))))

    def renew_open(
        self, counted: Iterable[CounterKey], minutes: Mapping[datetime, Mapping[CounterKey, CounterSum]]
    ) -> None:
        """The same, read once more for some counters, with their leaders."""
        for each in counted:
            for sums in self._open.values():
                sums.pop(each, None)
            for minute, read in minutes.items():
                if each in read:
                    self._open.setdefault(minute, {})[each] = read[each]

    def changed(self, spans: Iterable[BucketSpan]) -> None:
        """Spend has changed in these spans: the parts that share time with one are to be read again."""
        for span in spans:
            for part in reversed(self.parts):
                if part.end <= span.start:
                    break
                part.dirty = part.dirty or part.start < span.end

    def of(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """What [start, end), a period of the calendar, has come to."""
        result = self._settled_sum(counted, start, end)
        for part in self.parts:
            if part.end - part.start <= MINUTE and start <= part.start < end:
                result = result.plus(part.sums.get(counted, NOTHING))
        for minute, sums in self._open.items():
            if start <= minute < end and counted in sums:
                result = result.plus(sums[counted])
        return result

    def since_at_most(self, counted: CounterKey, start: datetime) -> Decimal:
        """What was spent since `start`, or more: parts count whole that it cuts."""
        parts = [part.sums.get(counted, NOTHING) for part in self.parts if part.end > start]
        parts += [sums[counted] for sums in self._open.values() if counted in sums]
        return total(max(part.effective, ZERO) for part in parts)

    def rate_per_hour(self, counted: CounterKey, now: datetime) -> Decimal:
        """How fast it goes now: over the last ten seconds, or the last two minutes where that is more.

        A runaway eight seconds old is invisible in two minutes; a steady scope is noise in ten seconds.
        What a correction adds was not spent in this moment.
        """
        since = now.replace(second=0, microsecond=0) - MINUTE
        recent = {minute: amount for (of, minute), amount in self._recent(since, now) if of == counted}
        steady = per_hour(total(recent.values()), now - since)
        at, before = next(look for look in self._looks if now - look[0] <= BURST_SPAN)
        if now - at < BURST_SPAN_MIN:
            return steady
        gained = total(amount - before.get((counted, minute), ZERO) for minute, amount in recent.items())
        return max(steady, per_hour(gained, now - at))

    def _recent(
        self, since: datetime, now: datetime
    ) -> Iterable[tuple[tuple[CounterKey, datetime], Decimal]]:
        minutes = [(part.start, part.sums) for part in self.parts[-2:]] + list(self._open.items())
        for minute, sums in minutes:
            if since <= minute <= now:
                for counted, each in sums.items():
                    yield (counted, minute), EXACT.subtract(each.effective, max(each.corrected, ZERO))

    def _settled_sum(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """Hours and days, which seldom change; kept, for there may be hundreds of budgets over a quarter."""
        key = (counted, start, end)
        if key not in self._settled:
            result = NOTHING
            for part in self.parts:
                if part.end - part.start > MINUTE and start <= part.start < end:
                    result = result.plus(part.sums.get(counted, NOTHING))
            self._settled[key] = result
        return self._settled[key]

    def _part(self, start: datetime, end: datetime) -> Part:
        inside = [part for part in self.parts if start <= part.start and part.end <= end]
        if [part.end for part in inside[:-1]] != [part.start for part in inside[1:]] or not inside:
            return Part(start=start, end=end)
        if inside[0].start != start or inside[-1].end != end:
            return Part(start=start, end=end)
        merged = Part(
            start=start,
            end=end,
            read_at_s=min(part.read_at_s for part in inside),
            dirty=any(part.dirty for part in inside),
        )
        for counted in set.intersection(*(set(part.sums) for part in inside)):
            merged.sums[counted] = inside[0].sums[counted]
            for part in inside[1:]:
                merged.sums[counted] = merged.sums[counted].plus(part.sums[counted])
        return merged
