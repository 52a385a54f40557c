"""Reads what is usual at this hour, once an hour for each tenant: some forty hours of its scopes, no more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg

from services.alerts.bursts.expectations import SCOPES_MAX
from services.alerts.bursts.seasons import HOUR, YOUNG_DAYS, Samples, ScopeSeason, Season
from services.alerts.counting.counter_reader import Turn
from spendmeter.book.sizes import bucket_at, hours_between
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("seasons.sql"))
READ_AGAIN = timedelta(minutes=20)
"""The hour before this one is added up while this one runs, and what was missing may be there by then."""
MONTH = timedelta(days=28)
ASKED_AGAIN, LATE = timedelta(minutes=1), Decimal("0.1")
"""Once so much more or less of the month is known, all is read again: weeks that were have been imported."""
IDLE_HOURS_MAX = 24
"""So many hours that were idle and wait, for something came late for them, are no weeks that are unknown."""
SLICE = 100


@dataclass(eq=False)
class SeasonReader:
    """`read` says what is usual now. It is rebuilt from `scope_hours` alone. Raises CONNECTION_ERRORS."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    calendar: Timeline
    turn: Turn

    def __post_init__(self) -> None:
        self._season: Season | None = None
        self._read_at: datetime
        self._asked_at: datetime

    async def read(self, now: datetime) -> Season:
        """Of the local hour that holds `now`."""
        hour = self._hour(now)
        known = self._season
        if (
            known is None
            or known.hour != hour
            or now - self._read_at >= READ_AGAIN
            or await self._came_late(known, now)
        ):
            self._season = await self._read(hour)
            self._read_at = self._asked_at = now
            return self._season
        return known

    async def _came_late(self, known: Season, now: datetime) -> bool:
        if now - self._asked_at < ASKED_AGAIN:
            return False
        self._asked_at = now
        return known.waits or abs(await self._month(known.hour) - known.month) > known.month * LATE

    async def _read(self, hour: datetime) -> Season:
        terms = self.calendar.at(hour)
        three = [Samples(hour + number * HOUR, terms.zone) for number in (-1, 0, 1)]
        hours = sorted({self._hour(each) for samples in three for each in samples.hours if each < hour})
        async with self.turn():
            waits = await self.pool.fetchval(SQL["waits"], self.tenant, hour - HOUR, IDLE_HOURS_MAX)
            since = await self.pool.fetchval(SQL["known_since"], self.tenant)
        if since is not None:
            since = max(since, self.calendar.currency_since(hour))
        if since is None or since > hour:
            return Season(hour=hour, history_days=0, waits=waits, scopes=[])
        async with self.turn():
            rows = await self.pool.fetch(SQL["hours"], self.tenant, terms.currency, hours, SCOPES_MAX)
        found = []
        for number, row in enumerate(rows):
            amounts: dict[datetime, Decimal] = dict(zip(row["hours"], row["amounts"], strict=True))
            usual = [samples.usual(amounts, since) for samples in three]
            if any(usual):
                found.append(ScopeSeason(row["dimension"], row["value"], *usual))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)  # others have the processor in between
        days = min((hour - since).days, YOUNG_DAYS)
        month = await self._month(hour)
        return Season(hour=hour, history_days=days, waits=waits, scopes=found, month=month)

    async def _month(self, hour: datetime) -> Decimal:
        """What was spent in the four weeks before, as it is added up by now."""
        lately = hours_between(hour - MONTH, hour, self.calendar)
        async with self.turn():
            month: Decimal = await self.pool.fetchval(
                SQL["month"], self.tenant, self.calendar.at(hour).currency, lately
            )
        return month

    def _hour(self, at: datetime) -> datetime:
        """When the hour began that holds an instant, as hours are added up."""
        return bucket_at("hour", at, self.calendar).start
