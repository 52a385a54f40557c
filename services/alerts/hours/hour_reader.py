"""Reads one tenant's hours by scope: complete ones as added up, the one that runs minute by minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.alerts.bursts.season_reader import SQL as SEASONS_SQL
from services.alerts.bursts.seasons import HOUR
from services.alerts.counting.counter_reader import Turn
from services.alerts.detect.seasons import DAYS_KEPT
from services.alerts.hours.scoring import HourMoney
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.store import incidents_of
from services.alerts.levels.days import REST
from services.alerts.rates import per_hour
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.book.sizes import bucket_at, hours_between
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.terms import Stretch, Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("hours.sql"))
VALUES_MAX = 200
"""Of a dimension, as in `scope_hours`."""
HISTORY = timedelta(days=DAYS_KEPT)
READ_EVERY = timedelta(minutes=5)
"""Minutes of the hour that runs are read so many at a time, each once."""
SCOPES_AT_ONCE = 20


class ExplainedSpan(NamedTuple):
    """Whose money something explains, from when to when."""

    scope: Mapping[str, str]
    folded: Collection[DetectorScope]
    began: datetime
    ended: datetime

    @classmethod
    def of(cls, incident: Incident) -> ExplainedSpan:
        """What an anomaly explains, this time."""
        folded = {(each["scope"][0], each["scope"][1]) for each in incident.details.get("folded", ())}
        return cls(incident.scope, folded, incident.began_at, incident.hot_at)

    def holds(self, scope: DetectorScope, hour: datetime) -> bool:
        """Whether the scope's hour is explained by it."""
        if self.ended <= hour or self.began >= hour + HOUR:
            return False
        return scope == TENANT or scope in self.folded or self.scope.get(scope[0]) == scope[1]


@dataclass
class RunningHour:
    """What scopes have come to in the hour that runs, up to `until`."""

    hour: datetime
    until: datetime
    amounts: dict[DetectorScope, HourMoney] = field(default_factory=dict)
    lately: Mapping[DetectorScope, HourMoney] = field(default_factory=dict)
    """In the minutes that were read last."""
    lately_for: timedelta = timedelta()

    def rate_per_hour(self, scope: DetectorScope) -> Decimal:
        """What the scope spends now."""
        return per_hour(self.lately.get(scope, HourMoney()).amount, self.lately_for)


@dataclass(eq=False)
class HourReader:
    """While the tenant's terms of `stretch` hold. Every method raises CONNECTION_ERRORS."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    calendar: Timeline
    stretch: Stretch
    turn: Turn
    running: RunningHour | None = None

    @property
    def currency(self) -> str:
        return self.stretch.terms.currency

    @property
    def zone(self) -> tzinfo:
        return self.stretch.terms.zone

    async def read_on(self, through: datetime, bill_keys: Collection[str]) -> RunningHour | None:
        """The hour that runs, with the minutes that are complete by now; None = none to speak of are new."""
        hour = bucket_at("hour", through, self.calendar).start
        until = through.replace(second=0, microsecond=0)
        if self.running is None or self.running.hour < hour:
            self.running = RunningHour(hour, hour)
        running = self.running
        if until - running.until < READ_EVERY:
            return None
        async with self.turn():
            rows = await self.pool.fetch(
                SQL["minutes"], self.tenant, self.currency, running.until, until, VALUES_MAX, list(bill_keys)
            )
        running.lately = {_scope(row): _money(row) for row in rows}
        running.lately_for, running.until = until - running.until, until
        for scope, money in running.lately.items():
            running.amounts[scope] = running.amounts.get(scope, HourMoney()).plus(money)
        return running

    async def is_settled(self, hour: datetime) -> bool:
        """Whether all of the hour, and of the weeks before it, is added up."""
        async with self.turn():
            return not await self.pool.fetchval(
                SQL["unsettled"], self.tenant, hour, hour + HOUR, hour - HISTORY
            )

    async def hours(
        self, scopes: Sequence[DetectorScope], first: datetime, end: datetime
    ) -> dict[DetectorScope, dict[datetime, HourMoney]]:
        """What they came to in each hour with spend from `first` to `end`, oldest first."""
        found: defaultdict[DetectorScope, dict[datetime, HourMoney]] = defaultdict(dict)
        asked = self.starts(first, end)
        for start in range(0, len(scopes), SCOPES_AT_ONCE):
            some = scopes[start : start + SCOPES_AT_ONCE]
            dimensions = [dimension for dimension, _ in some]
            values = ["" if value == REST else value for _, value in some]
            async with self.turn():
                rows = await self.pool.fetch(
                    SQL["hours"], self.tenant, self.currency, asked, dimensions, values
                )
            for row in rows:
                found[_scope(row)][row["hour"]] = _money(row)
        return found

    def starts(self, first: datetime, end: datetime) -> list[datetime]:
        """When the hours from `first` to `end` began, as they are added up."""
        return hours_between(first, end, self.calendar)

    async def histories(
        self, scopes: Sequence[DetectorScope], hour: datetime
    ) -> dict[DetectorScope, dict[datetime, Decimal]]:
        """What they came to in each hour with spend of the four weeks before `hour`."""
        found = await self.hours(scopes, hour - HISTORY, hour)
        return {scope: {at: money.amount for at, money in found.get(scope, {}).items()} for scope in scopes}

    async def dearest(
        self, first: datetime, end: datetime, least: Decimal, most: int
    ) -> dict[DetectorScope, Decimal]:
        """Of the scopes that came to `least` in one hour from `first` to `end` those with the most money."""
        async with self.turn():
            rows = await self.pool.fetch(SQL["dearest"], self.tenant, self.currency, first, end, least, most)
        return {_scope(row): row["effective"] for row in rows}

    async def explained(self, since: datetime) -> list[ExplainedSpan]:
        """What has been explained since then."""
        async with self.turn():
            rows = await self.pool.fetch(SQL["explained"], self.tenant, since)
        return [
            ExplainedSpan(
                row["scope"], {(each[0], each[1]) for each in row["folded"]}, row["began"], row["ended"]
            )
            for row in rows
        ]

    async def known_since(self) -> datetime | None:
        """From when on all hours of the tenant are added up, in the currency of now; None = none is."""
        since: datetime | None = await self.pool.fetchval(SEASONS_SQL["known_since"], self.tenant)
        return None if since is None else max(since, self.calendar.currency_since(self.stretch.start))

    async def loops_over(self, hour: datetime) -> list[Incident]:
        """Loops that have ended since then."""
        return incidents_of(await self.pool.fetch(SQL["loops_over"], self.tenant, hour))

    async def planned_over(self, hour: datetime) -> list[Mapping[str, str]]:
        """Whose spend was planned in this hour, and is not any more."""
        return [row["filter"] for row in await self.pool.fetch(SQL["planned_over"], self.tenant, hour)]


def _scope(row: asyncpg.Record) -> DetectorScope:
    """A dimension's other values have no name in the table; the tenant needs none."""
    scope = (row["dimension"], row["value"])
    return scope if scope == TENANT or scope[1] else (scope[0], REST)


def _money(row: asyncpg.Record) -> HourMoney:
    return HourMoney(row["effective"] or ZERO, row["events"], row["provisional"] or ZERO)
