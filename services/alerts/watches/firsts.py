"""Looks at what one tenant spends on for the first time, or again after long, and at what has no price."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.firsts.firsts import FirstLook, Past, ValueSpend, together
from services.alerts.firsts.words import FirstWording
from services.alerts.incidents.incident import open_of
from services.alerts.rules import TenantRules
from services.alerts.scopes import MINUTE
from services.alerts.watches.look import Look, Rhythm
from spendmeter.book.reading import one_instant, spent_in
from spendmeter.book.series import dimensions_of
from spendmeter.book.sizes import BucketSpan, five_minutes_of
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "firsts" / "firsts.sql")
VALUES_MAX = 2_000
"""Of all watched dimensions together, the largest: what spends less than two thousand others is no news."""
ASKED_MAX = 50
"""Values whose past is read in one look, the largest first: after a start the others' turn comes soon."""
KNOWN_MAX = 10_000
LATELY = timedelta(days=3)
"""Most of what spends has spent in these days before as well: only of the rest a month is read."""
SETTLES = timedelta(minutes=5)
"""What is dated so long before both days were read, or later, each look reads again: most comes sooner."""
READ_AGAIN = timedelta(minutes=10)
"""So often both days are read, for what came later still and what was corrected."""


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What each value had spent from `since` to `until`, as it was read at `read_at`."""

    since: datetime
    until: datetime
    read_at: datetime
    spent: Sequence[ValueSpend]


@dataclass(eq=False, kw_only=True)
class FirstWatch(Look):
    """A `Look` at values that are new."""

    of = "firsts"
    rhythm = Rhythm(every_s=20.0, rest_s_max=60.0, woken=False)
    """What is new is news for a day: half a minute more does not matter."""
    _base: _Base | None = None
    _past: OrderedDict[tuple[str, str], Past] = field(default_factory=OrderedDict)
    _known_since: datetime | None = None
    _before: datetime | None = None
    _spending: set[tuple[str, str]] = field(default_factory=set)

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules.calendar != self.rules.calendar:
            self._base = None
        super().apply_rules(rules)

    def changed(self, span: BucketSpan) -> None:
        """The newest minutes it reads anyway, and what is older with the next reading of both days."""

    async def look(self, now: datetime) -> None:
        """Open what is new, renew what is open, end what is known."""
        calendar, shared = self.rules.calendar, self.shared
        terms, rules = calendar.at(now), self.rules.of("first")
        current = await shared.store.current(self.tenant, now)
        ours = open_of("first", current)
        if not rules and not ours:
            return
        spent = await self._recent(now, calendar)
        dormant_days = max((int(rule.number("dormant_days")) for rule in rules), default=0)
        await self._learn_past(spent, now, calendar, dormant_days)
        look = FirstLook(
            tenant=self.tenant,
            now=now,
            currency=terms.currency,
            known_since=self._known_since,
            rules=rules,
            spent=spent,
            past=self._past,
            series={},
            wording=self.words(FirstWording, now),
        )
        self.evaluated("first", len(spent))
        if proposed := look.proposals(current):
            if self._base is not None and self._base.read_at != now:
                self._base = None  # what is told is read as it is now
                look = replace(look, spent=await self._recent(now, calendar))
            places = {next(iter(one.scope.items())) for one in proposed}
            leaders = [each.leader for each in look.spent if (each.dimension, each.value) in places]
            look = replace(look, series=await self._series(leaders))
        await self.act(look, current, ours)

    async def _recent(self, now: datetime, calendar: Timeline) -> list[ValueSpend]:
        """What each value has spent since yesterday's midnight: the newest minutes as they are now."""
        since, base = _yesterday(now, calendar), self._base
        if base is None or base.since != since or not timedelta() <= now - base.read_at < READ_AGAIN:
            today, until = calendar.bounds("day", now)[0], max(since, five_minutes_of(now - SETTLES))
            spent = await self._spent(sorted({since, min(today, until), until}), now, calendar)
            base = self._base = _Base(since=since, until=until, read_at=now, spent=spent)
        end = now.replace(second=0, microsecond=0) + MINUTE
        return together(base.spent, await self._spent([base.until, end], now, calendar), VALUES_MAX)

    async def _spent(self, edges: Sequence[datetime], now: datetime, calendar: Timeline) -> list[ValueSpend]:
        """What each value spent between the first of these edges and the last."""
        if edges[0] == edges[-1]:
            return []
        unlike = await self.keys_not_live()
        async with self._reading() as connection:
            read = await spent_in(connection, self.tenant, edges, calendar)
            currency = calendar.at(now).currency
            rows = await connection.fetch(SQL["recent"], *read, currency, unlike, VALUES_MAX)
        return [ValueSpend(**_columns(row)) for row in rows]

    async def _learn_past(
        self, spent: Sequence[ValueSpend], now: datetime, calendar: Timeline, dormant_days: int
    ) -> None:
        """Read of what is not known when it was first booked, and last before yesterday."""
        before = _yesterday(now, calendar)
        if before != self._before:  # what has spent since the day before that is not dormant
            for place, past in self._past.items():
                if place in self._spending and self._before is not None:
                    self._past[place] = replace(past, last_at=self._before)
            self._before = before
        self._spending = {(each.dimension, each.value) for each in spent}
        if self._known_since is None:
            self._known_since = await self.shared.pool.fetchval(SQL["known_since"], self.tenant)
        asked = [(each.dimension, each.value) for each in spent]
        asked = [place for place in asked if place not in self._past][:ASKED_MAX]
        if not asked:
            return
        rows = await self.rows(SQL["met"], *_columns_of(asked))
        met = {(row["dimension"], row["value"]): row["first_seen"] for row in rows}
        old = [place for place, first_seen in met.items() if first_seen < before]
        last = await self._last_spent(old, before - LATELY, before, calendar)
        resting = [place for place in old if place not in last]
        long_ago = before - timedelta(days=dormant_days)
        last |= await self._last_spent(resting, long_ago, before - LATELY, calendar)
        for place, first_seen in met.items():
            self._past[place] = Past(first_seen=first_seen, last_at=last.get(place))
        while len(self._past) > KNOWN_MAX:
            self._past.popitem(last=False)

    async def _last_spent(
        self, places: Sequence[tuple[str, str]], since: datetime, until: datetime, calendar: Timeline
    ) -> dict[tuple[str, str], datetime]:
        if not places or since >= until:
            return {}
        edges = [calendar.bounds("day", since)[0], until]
        async with self._reading() as connection:
            read = await spent_in(connection, self.tenant, edges, calendar)
            rows = await connection.fetch(SQL["last_spent"], *read, *_columns_of(places))
        return {(row["dimension"], row["value"]): row["last_at"] for row in rows}

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        """A connection in its turn."""
        async with self.turn(), one_instant(self.shared.pool) as connection:
            yield connection

    async def _series(self, leaders: Sequence[bytes]) -> Mapping[bytes, Series]:
        found = await dimensions_of(self.shared.pool, self.tenant, leaders)
        return {series_id: Series.of(dimensions) for series_id, dimensions in found.items()}


def _yesterday(now: datetime, calendar: Timeline) -> datetime:
    return calendar.bounds("day", calendar.bounds("day", now)[0] - timedelta(hours=1))[0]


def _columns_of(places: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [dimension for dimension, _ in places], [value for _, value in places]


def _columns(row: asyncpg.Record) -> dict[str, Any]:
    columns: dict[str, Any] = dict(row)
    columns["provider"] = columns["provider"] if row["dimension"] in ("sku", "provider") else ""
    return {name: columns[name] for name in ValueSpend.__dataclass_fields__}
