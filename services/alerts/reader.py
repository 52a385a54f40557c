"""Reads one tenant's rollups: closed days seldom, the open end at every look, history once a minute."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.anomalies import HISTORY_MINUTES, MINUTE, Learned, Tally, learn
from services.alerts.budgets import Calendar
from services.alerts.spend import Day, Money, Row, SeriesId, Spend
from spendmeter.contracts.periods import day_start
from spendmeter.contracts.series import DIMENSIONS, Series
from spendmeter.platform.postgres import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "reader.sql")
TODAY_AGE_MAX_S = 5.0
DAY_AGE_MAX_S = 60.0
"""Late events land in old minutes: closed days are read again this often, sooner when a total names one."""
OPEN_END_MAX = timedelta(minutes=10)
HISTORY_AGE_MAX = timedelta(days=7)
RE_READ_SHARE = 0.1
"""Of one connection's time, over all tenants, that a worker spends on reading closed days again."""
RE_READ_BURST_S = 1.0


class Allowance:
    """Bounds re-reading to RE_READ_SHARE of the time, however much there is to read."""

    def __init__(self) -> None:
        self._left_s = RE_READ_BURST_S
        self._at = time.monotonic()

    def left(self) -> bool:
        """Whether something more may be read again now."""
        now = time.monotonic()
        self._left_s = min(RE_READ_BURST_S, self._left_s + (now - self._at) * RE_READ_SHARE)
        self._at = now
        return self._left_s > 0

    def use(self, seconds: float) -> None:
        """Something took so long."""
        self._left_s -= seconds


class Reader:
    """One tenant's `spend` and `learned`, true as of the last `look`."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], tenant: str, calendar: Calendar, allowance: Allowance
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._calendar = calendar
        self._allowance = allowance
        self._learned_in: datetime | None = None
        self.spend = Spend()
        self.learned: Learned

    def changed(self, bucket: datetime) -> None:
        """A total says that this minute has changed: if it is a closed one, its day is read again."""
        for day in self.spend.days:
            if day.start <= bucket < day.mark:
                day.dirty = True

    async def look(self, now: datetime, since: datetime | None) -> None:
        """Bring everything up to `now`: days from `since` on (None = none), the open end, the history.

        Raises CONNECTION_ERRORS; what was read until then stays right.
        """
        open_minute = now.replace(second=0, microsecond=0)
        self.spend.days = self._laid_out(now, since)
        await self._read_days(now, open_minute - MINUTE)
        self.spend.forget()
        rows = await self._fetch("read_open_end", self.spend.open_from(open_minute - MINUTE))
        await self._meet(row["series_id"] for row in rows)
        self.spend.look([Row(row["bucket"], row["series_id"], _money(row)) for row in rows], now)
        if self._learned_in != open_minute:
            self.learned = await self._learn(now, open_minute)
            self._learned_in = open_minute

    async def scope_since(
        self, scope: Mapping[str, str], began_at: datetime, until: datetime
    ) -> dict[Series, Money]:
        """What a scope has spent in the minutes from `began_at` to `until`, by series."""
        rows = await self._fetch("read_scope_since", began_at, until, dict(scope))
        await self._meet(row["series_id"] for row in rows)
        return {self.spend.series[row["series_id"]]: _money(row) for row in rows}

    def _laid_out(self, now: datetime, since: datetime | None) -> list[Day]:
        """The days from `since` to today: those that are known, and blank ones."""
        if since is None:
            return []
        zone = self._calendar.zone
        known = {day.start: day for day in self.spend.days}
        days = []
        date = since.astimezone(zone).date()
        while (start := day_start(date, zone)) <= now:
            date += timedelta(days=1)
            days.append(known.get(start) or Day(start=start, end=day_start(date, zone), mark=start))
        return days

    async def _read_days(self, now: datetime, closed_until: datetime) -> None:
        for day in self.spend.days:
            mark = max(day.start, min(day.end, closed_until))
            if mark == day.mark == day.start:
                break
            # A mark that lies ahead: the clock was set back, and the open end begins before it.
            if (
                day.read_at_s is None
                or day.mark > mark
                or (day.mark < mark and (mark == day.end or now - day.mark > OPEN_END_MAX))
            ):
                await self._read_day(day, mark)
        known = [(day, day.read_at_s) for day in self.spend.days if day.read_at_s is not None]
        for day, read_at_s in sorted(known, key=lambda each: (each[0].complete, not each[0].dirty, each[1])):
            age_max_s = DAY_AGE_MAX_S if day.complete else TODAY_AGE_MAX_S
            due = day.dirty or time.monotonic() - read_at_s >= age_max_s
            if due and self._allowance.left():
                await self._read_day(day, max(day.start, min(day.end, closed_until)))

    async def _read_day(self, day: Day, mark: datetime) -> None:
        began = time.monotonic()
        rows = await self._fetch("read_day", day.start, mark)
        await self._meet(row["series_id"] for row in rows)
        day.put({row["series_id"]: _money(row) for row in rows}, mark, began)
        self._allowance.use(time.monotonic() - began)

    async def _learn(self, now: datetime, open_minute: datetime) -> Learned:
        first_seen = await self._pool.fetchval(SQL["first_seen"], self._tenant)
        rows = await self._fetch(
            "read_history", open_minute, open_minute - HISTORY_AGE_MAX, HISTORY_MINUTES + 2
        )
        await self._meet(row["series_id"] for row in rows)
        minutes: defaultdict[datetime, list[tuple[Series, Tally]]] = defaultdict(list)
        for row in rows:
            tally = Tally(row["effective"], row["events"])
            minutes[row["bucket"]].append((self.spend.series[row["series_id"]], tally))
        # In a thread: an hour of 600 series takes a few hundred milliseconds, which the probes need not feel.
        return await asyncio.to_thread(learn, minutes, now, first_seen)

    async def _meet(self, ids: Iterable[SeriesId]) -> None:
        """Look up the dimensions of the series that are new."""
        missing = sorted(set(ids) - self.spend.series.keys())
        if missing:
            for row in await self._pool.fetch(SQL["read_series"], self._tenant, missing):
                self.spend.series[row["series_id"]] = Series(**{name: row[name] for name in DIMENSIONS})

    async def _fetch(self, name: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self._pool.fetch(SQL[name], self._tenant, self._calendar.currency, *arguments)


def _money(row: asyncpg.Record) -> Money:
    return Money(row["effective"], row["provisional"])
