"""Reads what one tenant's scopes came to on its complete days, a week in each statement, each in its turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.cause.weighing import SpanUse
from services.alerts.counting.counter_reader import Turn
from services.alerts.levels.days import DAY, REST, LevelDay, LevelDays
from services.alerts.levels.lasting import DAYS_MAX, WEEK
from services.alerts.levels.prices import PricedUse, ServedUnit, at_todays_prices
from services.alerts.levels.splits import LevelUse
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.book.units import UNIT_COLUMNS, UNIT_PARTS
from spendmeter.contracts.periods import day_start
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("levels.sql"), UNIT_PARTS)
SCOPES_MAX = 2_000
"""Of a tenant: those with the most money in the last week; the others are in theirs."""
UNSETTLED_HOURS_MAX = 24
"""Of older days: a few hours in which something came late do not change a level."""
TOLD_MAX = 500
TOLD_AGE_MAX = timedelta(days=DAYS_MAX)


@dataclass(eq=False)
class LevelReader:
    """One tenant's days up to `last`. Every method raises CONNECTION_ERRORS."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    calendar: Timeline
    last: date
    turn: Turn
    further: int = 0
    """Whole weeks of days that are read beyond those that one day is judged by."""

    @property
    def number(self) -> int:
        return DAYS_MAX + self.further * WEEK

    @property
    def first(self) -> date:
        return self.last - (self.number - 1) * DAY

    def midnight(self, day: date) -> datetime:
        """With which a local day begins: by the zone of now, where the tenant has moved meanwhile."""
        zone = self.calendar.at(day_start(self.last, self.calendar.stretches[-1].terms.zone)).zone
        return day_start(day, zone)

    @property
    def currency(self) -> str:
        return self.calendar.at(self.midnight(self.last)).currency

    async def is_settled(self, *, patient: bool) -> bool:
        """Whether all of it is added up; of the last day, where who asks is patient."""
        spans = (self.last, self.last + DAY, self.first)
        async with self.turn():
            return not await self.pool.fetchval(
                SQL["unsettled"], self.tenant, *map(self.midnight, spans), UNSETTLED_HOURS_MAX, patient
            )

    async def prices(self) -> list[PricedUse]:
        """What each unit came to on each day (UTC)."""
        found = []
        for week in self._weeks():
            end = week[-1] + DAY
            async with self.turn():
                rows = await self.pool.fetch(SQL["priced"], self.tenant, week[0], end, self.currency)
            found += [_priced(row) for row in rows]
        return found

    async def scopes(self) -> list[DetectorScope]:
        """Those with the most money in the last week, the largest first."""
        since, until = self.midnight(self.last - (WEEK - 1) * DAY), self.midnight(self.last + DAY)
        async with self.turn():
            rows = await self.pool.fetch(SQL["scopes"], self.tenant, since, until, self.currency, SCOPES_MAX)
        return [_scope(row) for row in rows]

    async def days(self, scopes: Sequence[DetectorScope], prices: Sequence[PricedUse]) -> LevelDays:
        """What these scopes came to, as booked and at the prices of the last days."""
        factors = at_todays_prices(prices)
        found: defaultdict[DetectorScope, dict[int, LevelDay]] = defaultdict(dict)
        for week in self._weeks():
            changed = [
                (place, *sku, factors[day, sku])
                for place, day in enumerate(week)
                for sku in {sku for at, sku in factors if at == day}
            ]
            edges = [self.midnight(day) for day in (*week, week[-1] + DAY)]
            async with self.turn():
                rows = await self.pool.fetch(
                    SQL["days"],
                    self.tenant,
                    self.currency,
                    edges,
                    *_columns(_stored(scopes), 2),
                    *_columns(changed, 4),
                )
            offset = (week[0] - self.first).days
            for row in rows:
                found[_scope(row)][offset + row["place"]] = _day(row)
        return LevelDays(first=self.first, number=self.number, by_scope=found)

    async def uses(self, scope: DetectorScope, since: date, before_days: int) -> list[LevelUse]:
        """What a scope used of each sku since a day, and in so many days before."""
        edges = [self.midnight(day) for day in (since - before_days * DAY, since, self.last + DAY)]
        async with self.turn():
            [stored] = _stored([scope])
            rows = await self.pool.fetch(SQL["uses"], self.tenant, self.currency, *stored, *edges)
        return [LevelUse((row["provider"], row["sku"]), row["now"], _used(row)) for row in rows]

    async def told(self) -> list[Mapping[str, Any]]:
        """Incidents about levels of this currency, the newest first."""
        asked = (self.tenant, self.midnight(self.last) - TOLD_AGE_MAX, TOLD_MAX, self.currency)
        return [dict(row) for row in await self.pool.fetch(SQL["told"], *asked)]

    def _weeks(self) -> Iterator[list[date]]:
        days = [self.first + number * DAY for number in range(self.number + 1)]
        for start, end in pairwise(range(0, self.number + 1, WEEK)):
            yield days[start:end]


def _scope(row: asyncpg.Record) -> DetectorScope:
    """A dimension's other values have no name in the table; the tenant needs none."""
    scope = (row["dimension"], row["value"])
    return scope if scope == TENANT or scope[1] else (scope[0], REST)


def _stored(scopes: Sequence[DetectorScope]) -> list[DetectorScope]:
    return [(dimension, "" if value == REST else value) for dimension, value in scopes]


def _columns(rows: Sequence[tuple[Any, ...]], number: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(number)]


def _priced(row: asyncpg.Record) -> PricedUse:
    key = ServedUnit(*(row[name] for name in ServedUnit._fields))
    return PricedUse(
        day=row["day"], key=key, entry=row["entry"], quantity=row["quantity"], effective=row["effective"]
    )


def _day(row: asyncpg.Record) -> LevelDay:
    return LevelDay(**{name: row[name] for name in LevelDay.__dataclass_fields__})


def _used(row: asyncpg.Record) -> SpanUse:
    return SpanUse(
        amount=row["effective"],
        provisional=row["provisional"],
        events=Decimal(row["events"]),
        unpriced_events=int(row["unpriced_events"]),
        quantities={unit: row[unit] for unit in UNIT_COLUMNS if row[unit] is not None},
    )
