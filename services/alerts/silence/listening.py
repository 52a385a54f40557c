"""Reads when one tenant's sources were heard: five weeks once a day, the newest hours once an hour, the
newest minutes each time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.rates import HOUR, per_hour
from services.alerts.scopes import MINUTE
from services.alerts.silence.arrivals import Arrivals
from services.alerts.silence.habit import HISTORY, Habit, near_of, same_times
from services.alerts.silence.sources import COARSE, HeardSource
from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("silence.sql"))
SOURCES_MAX = 500
DAY = timedelta(days=1)
HEARD_AT_FIRST = 2 * HOUR
"""At its first look a worker reads the minutes of so long; of what was heard before, the hour is known."""
ALL_AGAIN = DAY
"""Whose key is heard for the first time is known after the hour, for then all hours are read as well."""
TRY_AGAIN = timedelta(minutes=5)
"""Where the hours took too long to read."""
OVERLAP = timedelta(minutes=3)
"""What comes a little late is read by the next look, what comes later when its source seems silent: dated
COMES_LATE ago at most. What is later still the next reading of all hours has."""
MINUTES_KEPT = timedelta(minutes=10)
ASKED_MAX = 20
COMES_LATE = 3 * HOUR
LATE = timedelta(minutes=15)
"""Who sends usage so long after it was dated reports what was: nobody can say when that falls silent."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    habit: Habit
    amount_a_day: Decimal
    leader: bytes


@dataclass(eq=False)
class Listening:
    """What is known of one tenant's sources, of the part of its spend that a rule watches."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    within: Mapping[str, str]
    """Values by dimension; {} = all of it."""
    turn: Callable[[], AbstractAsyncContextManager[None]]
    arrivals: Arrivals = field(default_factory=Arrivals)
    _known: dict[str, _Known] = field(default_factory=dict)
    _strangers: set[str] = field(default_factory=set)
    """Heard since all hours were read, and not known by them."""
    _passed_over: set[str] = field(default_factory=set)
    """Nor by the next reading: they bill, or are not among the dearest."""
    _all_read_at: datetime | None = None
    _hour: datetime | None = None
    _tried_at: datetime | None = None
    _heard_at: datetime | None = None
    _minutes: dict[str, tuple[datetime, Sequence[datetime]]] = field(default_factory=dict)
    _checked: dict[str, tuple[datetime, bool]] = field(default_factory=dict)

    @property
    def spends(self) -> bool:
        """Whether anything was spent in these weeks."""
        return any(each.amount_a_day > 0 for each in self._known.values())

    async def hear(
        self, now: datetime, through: datetime | None, calendar: Timeline, unlike: Sequence[str]
    ) -> None:
        """Bring it up to now; keys of `unlike` bill or accrue."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour and (self._tried_at is None or now - self._tried_at >= TRY_AGAIN):
            self._tried_at = now
            if self._hour is None or self._strangers or self._is_a_day_old(now):
                await self._read_hours(now, calendar, unlike)
            else:
                for key in unlike:
                    self._known.pop(key, None)
                await self._read_newest_hours(self._hour - COMES_LATE, now, calendar)
            self._hour = hour
        since = self._heard_at - OVERLAP if self._heard_at else now - HEARD_AT_FIRST
        await self.hear_minutes(since, now, through or now)
        self._heard_at = now

    async def hear_minutes(self, since: datetime, now: datetime, through: datetime) -> None:
        """What came since this worker looked last: the newest of it, as it looks every few seconds."""
        self.arrivals.take(await self._newest(since, now), through)

    def sources(self, through: datetime) -> dict[str, HeardSource]:
        """Each by its key, as it was heard up to now."""
        return {key: self._source(key, known, through) for key, known in self._known.items()}

    async def unheard(
        self, sources: dict[str, HeardSource], now: datetime, through: datetime, rule: AlertRule
    ) -> list[HeardSource]:
        """Those that are silent by themselves; what is put right of them on the way is in `sources`, too."""
        await self._read_minutes(sources, through, rule)
        found = []
        for key, source in list(sources.items()):
            if source.is_silent(through, rule):
                found.append(key)
            await asyncio.sleep(0)  # there may be hundreds, and each takes up to a millisecond
        unchecked = [key for key in found if self._check_of(key, sources[key]) is None][:ASKED_MAX]
        if unchecked:
            await self._check(unchecked, sources, now)
            for key in unchecked:
                sources[key] = replace(
                    self._source(key, self._known[key], through), minutes=sources[key].minutes
                )
        return [
            sources[key]
            for key in found
            if self._check_of(key, sources[key]) and sources[key].is_silent(through, rule)
        ]

    def _source(self, key: str, known: _Known, through: datetime) -> HeardSource:
        newest = self.arrivals.newest(key)
        by_hour = min(known.habit.hours[-1] + HOUR, through)
        read_at, minutes = self._minutes.get(key, (None, ()))
        return HeardSource(
            key_id=key,
            habit=known.habit,
            amount_a_day=known.amount_a_day,
            heard_until=newest + MINUTE if newest is not None else by_hour,
            minutes=minutes if read_at and through - read_at < MINUTES_KEPT else (),
            usual_age=self.arrivals.usual_age(key, through),
            judged=self.arrivals.judged(key, through),
            leader=known.leader,
        )

    def _is_a_day_old(self, now: datetime) -> bool:
        return self._all_read_at is None or not timedelta() <= now - self._all_read_at < ALL_AGAIN

    async def _read_hours(self, now: datetime, calendar: Timeline, unlike: Sequence[str]) -> None:
        """All of HISTORY: who the sources are, what they spend, and their hours."""
        since = calendar.bounds("day", now - HISTORY)[0]
        edges, terms = await _hours_of(since, now, calendar), calendar.at(now)
        grid, counts_since = edges[-2], max(since, calendar.currency_since(now))
        async with self._reading() as connection:
            read = await spent_in(connection, self.tenant, edges, calendar)
            rows = await connection.fetch(
                SQL["hours"], *read, grid, dict(self.within), terms.currency, unlike, SOURCES_MAX
            )
        known: dict[str, _Known] = {}
        for row in rows:
            hours = [grid + number * HOUR for number in row["hours"]]
            lasts = max(DAY, now - max(counts_since, row["first_seen"]))
            a_day = EXACT.multiply(per_hour(row["amount"], lasts), Decimal(DAY // HOUR))
            habit = await _worked_out(Habit(zone=terms.zone, since=row["first_seen"], hours=hours))
            known[row["key_id"]] = _Known(habit=habit, amount_a_day=a_day, leader=row["leader"])
        self._known, self._all_read_at = known, now
        self._passed_over = (self._passed_over | self._strangers) - known.keys()
        self._strangers.clear()

    async def _read_newest_hours(self, start: datetime, now: datetime, calendar: Timeline) -> None:
        """Hours from `start` on, of the sources that are known."""
        oldest, start = calendar.bounds("day", now - HISTORY)[0], bucket_at("hour", start, calendar).start
        edges, keys = await _hours_of(start, now, calendar), list(self._known)
        grid = edges[-2]
        async with self._reading() as connection:
            read = await spent_in(connection, self.tenant, edges, calendar)
            rows = await connection.fetch(SQL["newest_hours"], *read, grid, dict(self.within), keys)
        heard = {row["key_id"]: [grid + number * HOUR for number in row["hours"]] for row in rows}
        for key, known in list(self._known.items()):
            before = [hour for hour in known.habit.hours if oldest <= hour < start]
            after = [hour for hour in heard.get(key, ()) if not before or hour > before[-1]]
            if hours := before + after:
                habit = await _worked_out(replace(known.habit, hours=hours))
                self._known[key] = replace(known, habit=habit)
            else:  # it was last heard five weeks ago
                del self._known[key]

    async def _newest(self, since: datetime, until: datetime) -> dict[str, datetime]:
        minutes = (each.replace(second=0, microsecond=0) for each in (since, until))
        async with self.turn():
            rows = await self.pool.fetch(SQL["heard"], self.tenant, *minutes, dict(self.within))
        heard = {row["key_id"]: row["minute"] for row in rows}
        self._strangers |= heard.keys() - self._known.keys() - self._passed_over
        return {key: minute for key, minute in heard.items() if key in self._known}

    async def _read_minutes(
        self, sources: dict[str, HeardSource], through: datetime, rule: AlertRule
    ) -> None:
        """Of sources for which hours are too coarse, the minutes near this time of earlier weeks."""
        asked = []
        for each in sources.values():
            if not each.minutes and each.needs_minutes(through, rule):
                asked.append(each)
            await asyncio.sleep(0)
        asked = sorted(asked, key=lambda each: -each.amount_a_day)[:ASKED_MAX]
        if not asked:
            return
        near = max(near_of(each.silent_for(through)) for each in asked)
        times = [time for times in same_times(through, asked[0].habit.zone) for time in times]
        since = [time - near - COARSE for time in times]
        until = [time + near + MINUTES_KEPT for time in times]
        keys = [each.key_id for each in asked]
        read = dict.fromkeys(keys, ()) | await self._minutes_in(since, until, keys)
        self._minutes = {key: kept for key, kept in self._minutes.items() if through - kept[0] < MINUTES_KEPT}
        for key, minutes in read.items():
            self._minutes[key] = (through, minutes)
            sources[key] = replace(sources[key], minutes=minutes)

    async def _minutes_in(
        self, since: Sequence[datetime], until: Sequence[datetime], keys: Sequence[str]
    ) -> dict[str, Sequence[datetime]]:
        async with self.turn():
            rows = await self.pool.fetch(SQL["near"], self.tenant, since, until, keys, dict(self.within))
        return {row["key_id"]: row["minutes"] for row in rows}

    def _check_of(self, key: str, source: HeardSource) -> bool | None:
        """Whether it is a live source that was not heard since; None = it was not asked yet."""
        heard_until, is_live = self._checked.get(key, (None, None))
        return is_live if heard_until == source.heard_until else None

    async def _check(self, keys: Sequence[str], sources: Mapping[str, HeardSource], now: datetime) -> None:
        """Read again since when these are silent, for what came late was not seen; are they live?"""
        ends = {sources[key].heard_until for key in keys}
        since, until = [now - COMES_LATE, *(end - HOUR for end in ends)], [now, *ends]
        read = await self._minutes_in(since, until, keys)
        self.arrivals.put_right({key: minutes[-1] for key, minutes in read.items()})
        for key in keys:
            minute = self.arrivals.newest(key)
            is_live = True
            if minute is not None:
                async with self.turn():
                    recorded = await self.pool.fetchval(SQL["first_recorded"], self.tenant, key, minute)
                is_live = recorded is None or recorded - minute < LATE
            heard_until = minute + MINUTE if minute is not None else sources[key].heard_until
            self._checked[key] = (heard_until, is_live)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        """A connection in its turn, in one snapshot in which no minutes are dropped."""
        async with (
            self.turn(),
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await hold_minutes(connection)
            yield connection


async def _hours_of(since: datetime, now: datetime, calendar: Timeline) -> list[datetime]:
    """The edges of the local hours from `since`, which is one; the last is the end of the minute that holds
    `now`, for of then nothing later had been heard."""
    edges = [since]
    while edges[-1] < now:
        edges.append(bucket_at("hour", edges[-1], calendar).end)
        if len(edges) % 100 == 0:
            await asyncio.sleep(0)
    edges[-1] = min(edges[-1], now.replace(second=0, microsecond=0) + MINUTE)
    return edges


async def _worked_out(habit: Habit) -> Habit:
    """What takes its time is done one source at a time: others have the processor in between."""
    _ = habit.rests
    await asyncio.sleep(0)
    return habit
