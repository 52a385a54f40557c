"""Reads one tenant's counters: what is over seldom, the open minute and what totals name at every look.

Postgres does the adding up; a statement takes about STATEMENT_S_MAX at most, however much there is to add.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from services.alerts.counting.counters import (
    LEADERS_MAX,
    NOTHING,
    CounterKey,
    Counters,
    CounterSum,
    Leader,
    Part,
    edges,
)
from services.alerts.scopes import MINUTE
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import minutes_of, one_instant, spent_in
from spendmeter.book.series import dimensions_of
from spendmeter.book.sizes import BucketSpan, bucket_at
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("counters.sql"))
RE_READ_AGE_MIN_S = 5.0
RE_READ_SHARE = 60
"""Late events land in old parts. One that no total names is read again when its reading is older than 1/60 of
the time since its end, and RE_READ_AGE_MIN_S at least."""
ALLOWANCE_SHARE = 0.05
"""Of one connection's time that is spent, for each tenant, on reading again what is over for a while."""
ALLOWANCE_BURST_S = 0.5
NEW_MINUTES = 3
"""The newest minutes that are over are read again whenever a total names them: booking takes seconds."""
NAMED_MAX = 10_000
"""Minutes and days named between two looks; what is beyond is found by reading again."""
SPAN_FIRST, SPAN_MAX = timedelta(hours=4), timedelta(days=31)
STATEMENT_S_MIN, STATEMENT_S_MAX = 0.2, 1.0
"""A statement's span of time is doubled when it took less, halved when it took more."""
CUT_FINELY_AGE_MAX = timedelta(days=2)
SERIES_KEPT_MAX = 500
FOREVER = datetime.max.replace(tzinfo=UTC)

Turn = Callable[[], AbstractAsyncContextManager[None]]


class Allowance:
    """Bounds one tenant's re-reading to ALLOWANCE_SHARE of the time, however much there is to read."""

    def __init__(self) -> None:
        self._left_s = ALLOWANCE_BURST_S
        self._at = time.monotonic()

    def left(self) -> bool:
        """Whether something more may be read again now."""
        now = time.monotonic()
        self._left_s = min(ALLOWANCE_BURST_S, self._left_s + (now - self._at) * ALLOWANCE_SHARE)
        self._at = now
        return self._left_s > 0

    def use(self, seconds: float) -> None:
        """Something took so long."""
        self._left_s -= seconds


@dataclass(eq=False)
class CounterReader:
    """One tenant's `counters`, true as of the last `look`. Methods raise CONNECTION_ERRORS; what was read by
    then stays right."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    calendar: Timeline
    turn: Turn
    leaders: bool = True
    """Whether it remembers who the largest series of each part are; without, it takes half the memory."""

    def __post_init__(self) -> None:
        self.counters = Counters()
        self._allowance = Allowance()
        self._named: set[BucketSpan] = set()
        self._series: dict[bytes, Series] = {}
        self._span = SPAN_FIRST

    def changed(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""
        if len(self._named) < NAMED_MAX:
            self._named.add(span)

    async def look(
        self, now: datetime, wanted: Mapping[CounterKey, datetime], hours_since: datetime | None = None
    ) -> None:
        """Bring every counter up to `now`; `wanted`: each with the instant from which it is needed. Of what
        is younger than `hours_since` hours stay apart."""
        named, self._named = self._named, set()
        if not wanted:
            return
        counters = self.counters
        counters.lay_out(edges(min(wanted.values()), now, self.calendar, hours_since))
        counters.changed(named)
        await self._fill(wanted)
        await self._read_again(wanted)
        open_minute = now.replace(second=0, microsecond=0)
        minutes = await self._count([open_minute], FOREVER, tuple(wanted), by_minute=True, leaders=False)
        counters.take_open(minutes, now)

    async def read_leaders(self, counted: Iterable[CounterKey], now: datetime) -> None:
        """Read the open minute of these counters again, with their leaders: an incident is to name them."""
        open_minute = now.replace(second=0, microsecond=0)
        of = tuple(dict.fromkeys(counted))
        self.counters.renew_open(
            of, await self._count([open_minute], FOREVER, of, by_minute=True, leaders=True)
        )

    async def read_whole(self, counted: CounterKey, period: BucketSpan, now: datetime) -> None:
        """Read all of one counter's period again: what is to be decided must be so in the book."""
        parts = [part for part in self.counters.parts if period.start <= part.start < period.end]
        await self._read_into(parts, (counted,))
        await self.read_leaders([counted], now)

    async def since(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """What was counted in the minutes of [start, end)."""
        part = Part(start=start, end=end)
        try:
            found = await self._read([part], (counted,))
        except MinutesDropped:  # of what began so long ago the hour is what there is
            part = Part(start=bucket_at("hour", start, self.calendar).start, end=end)
            found = await self._read([part], (counted,))
        return found[part.start].get(counted, NOTHING)

    async def series(self, leaders: Iterable[Leader]) -> dict[bytes, Series]:
        """Who they are."""
        wanted = {leader.series_id for leader in leaders}
        if missing := sorted(wanted - self._series.keys()):
            if len(self._series) > SERIES_KEPT_MAX:
                self._series.clear()
                missing = sorted(wanted)
            for series_id, dimensions in (await dimensions_of(self.pool, self.tenant, missing)).items():
                self._series[series_id] = Series.of(dimensions)
        return {series_id: self._series[series_id] for series_id in wanted}

    async def _fill(self, wanted: Mapping[CounterKey, datetime]) -> None:
        """Read what was never read: parts that are new, counters that are."""
        runs: list[tuple[tuple[CounterKey, ...], list[Part]]] = []
        for part in self.counters.parts:
            missing = tuple(c for c, since in wanted.items() if part.end > since and c not in part.sums)
            if missing and runs and runs[-1][0] == missing and runs[-1][1][-1].end == part.start:
                runs[-1][1].append(part)
            elif missing:
                runs.append((missing, [part]))
        for missing, parts in runs:
            await self._read_into(parts, missing)

    async def _read_into(self, parts: Sequence[Part], of: tuple[CounterKey, ...]) -> None:
        """Read some counters of adjacent parts; the others' stay as they are."""
        began = time.monotonic()
        found = await self._read(parts, of)
        for part in parts:
            fresh = {counted: found[part.start].get(counted, NOTHING) for counted in of}
            at_s = min(began, part.read_at_s) if part.sums else began
            dirty = part.dirty and bool(part.sums)
            self.counters.put(part, part.sums | fresh, at_s)
            part.dirty = dirty

    async def _read_again(self, wanted: Mapping[CounterKey, datetime]) -> None:
        """New minutes that a total has named; then, as far as the allowance goes, other parts that one has,
        and what was read longest ago."""
        new = {part.start for part in self.counters.parts[-NEW_MINUTES:] if part.dirty}
        due = [part for part in self.counters.parts if part.dirty or self._stale(part)]
        for part in sorted(due, key=lambda part: (part.start not in new, not part.dirty, part.read_at_s)):
            if part.start not in new and not self._allowance.left():
                return
            counted = tuple(each for each, since in wanted.items() if part.end > since)
            began = time.monotonic()
            found = await self._read([part], counted)
            self.counters.put(part, {each: found[part.start].get(each, NOTHING) for each in counted}, began)
            if part.start not in new:
                self._allowance.use(time.monotonic() - began)

    def _stale(self, part: Part) -> bool:
        over_s = (self.counters.parts[-1].end - part.end).total_seconds()
        return time.monotonic() - part.read_at_s >= max(RE_READ_AGE_MIN_S, over_s / RE_READ_SHARE)

    async def _read(
        self, parts: Sequence[Part], counted: tuple[CounterKey, ...]
    ) -> dict[datetime, dict[CounterKey, CounterSum]]:
        """By the start of each of these adjacent parts; in statements of a bounded span."""
        found: defaultdict[datetime, dict[CounterKey, CounterSum]] = defaultdict(dict)
        left = deque((part.start, part.start, part.end) for part in parts)  # part, from, to
        while left:
            pieces: list[tuple[datetime, datetime, datetime]] = []
            room = self._span
            while left and room >= MINUTE:
                part, start, end = left.popleft()
                if end - start > room:
                    cut = self._cut(start, room)
                    if cut < end:
                        left.appendleft((part, cut, end))
                        end = cut
                pieces.append((part, start, end))
                room -= end - start
            read = await self._count(
                [start for _, start, _ in pieces], pieces[-1][2], counted, leaders=self.leaders
            )
            for part, start, _ in pieces:
                for each, amount in read.get(start, {}).items():
                    found[part][each] = found[part].get(each, NOTHING).plus(amount)
        return found

    def _cut(self, start: datetime, room: timedelta) -> datetime:
        """Where about so much time after `start` ends: of old days with an hour, for finer may be dropped."""
        end = start + room
        if datetime.now(UTC) - end < CUT_FINELY_AGE_MAX:
            return end
        hour = bucket_at("hour", end, self.calendar)
        return hour.start if hour.start > start else hour.end

    async def _count(
        self,
        starts: list[datetime],
        end: datetime,
        counted: tuple[CounterKey, ...],
        *,
        by_minute: bool = False,
        leaders: bool = True,
    ) -> dict[datetime, dict[CounterKey, CounterSum]]:
        async with self.turn():
            began = time.monotonic()
            try:
                async with one_instant(self.pool) as connection:
                    if by_minute:
                        read = minutes_of(self.tenant, starts[0], end)
                    else:
                        read = await spent_in(connection, self.tenant, [*starts, end], self.calendar)
                    rows = await connection.fetch(
                        SQL["count"], *read, starts, [each.currency for each in counted],
                        [dict(each.scope) for each in counted], by_minute, leaders, LEADERS_MAX,
                    )  # fmt: skip
            except (TimeoutError, asyncpg.QueryCanceledError):
                self._span = max(MINUTE, _whole_minutes(self._span / 8))  # and then again
                raise
            took_s = time.monotonic() - began
        if took_s < STATEMENT_S_MIN:
            self._span = min(SPAN_MAX, self._span * 2)
        elif took_s > STATEMENT_S_MAX and not by_minute:
            self._span = max(MINUTE, _whole_minutes(self._span / 2))
        found: defaultdict[datetime, dict[CounterKey, CounterSum]] = defaultdict(dict)
        for row in rows:
            largest = tuple(map(Leader, row["leaders"] or (), row["amounts"] or ()))
            found[row["at"]][counted[row["place"] - 1]] = CounterSum(
                row["effective"], row["provisional"], largest, row["corrected"]
            )
        return found


def _whole_minutes(span: timedelta) -> timedelta:
    return span // MINUTE * MINUTE
