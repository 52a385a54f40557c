"""What models were used for in a span of days, by group: stretches of days as they are remembered, where
nothing of them has changed since; the rest anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from services.api.changes.prices import PriceDays, stretches
from services.api.database.remembered import BookedDays
from services.api.database.transactions import Onlooker, TenantConnection
from services.api.spend.question import Filters
from services.api.unit_economics.economics import READ, TOKENS, WRITTEN
from spendmeter.contracts.money import EXACT
from spendmeter.platform.sql import load_sql

ROWS_MAX = 10_000
"""Of groups and stretches put together here; where there are more, Postgres says the dearest groups."""
CELLS, CALLS = "cells", "quality_hours"
COUNTED = ("attempts", "succeeded")
SUMMED = (
    "requests", "unpriced_requests", "unpriced_tokens", "billed", "unpriced_events", "of_which_provisional",
    "cost", "tokens", "uncached_tokens", "cache_read_tokens", "cache_written_tokens", "cached_cost",
    "cached_cost_without", "uncached_cost", "not_compared_tokens", "uncached_not_compared_tokens",
    "booked",
)  # fmt: skip

SQL = load_sql(Path(__file__).with_name("economics.sql"))
_Row = Mapping[str, Any]


class UnitsAsked(NamedTuple):
    """What is asked of any days."""

    onlooker: Onlooker
    filters: Filters
    dimensions: tuple[str, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for equal questions of equal onlookers alone."""
        filters = tuple(sorted((name, tuple(values)) for name, values in self.filters.items()))
        return self.onlooker, filters, self.dimensions

    def parameters(self, days: Sequence[PriceDays]) -> list[Any]:
        """The first five of every statement but `releases` and `folded`."""
        placed = [(day, place) for place, each in enumerate(days, 1) for day in each.days()]
        columns = [day for day, _ in placed], [place for _, place in placed]
        return [*columns, self.filters, list(self.dimensions), self.onlooker.tenant]


class UnitsFound(NamedTuple):
    """The dearest groups, how many there are, and how calls of groups ended."""

    rows: Sequence[_Row]
    groups: int
    calls: Mapping[tuple[str, ...], _Row]


async def read_units(
    connection: TenantConnection,
    asked: UnitsAsked,
    days: tuple[date, date],
    today: date,
    top: int,
    kept: BookedDays,
) -> UnitsFound:
    """Of the days [first, beyond). `connection` sees one instant."""
    if not asked.filters:  # else few series are asked for, and theirs are looked up
        await connection.execute(SQL["by_hash"])
    wide = "wide", asked.key, days
    if kept.get(wide) is not None:
        return await _by_postgres(connection, asked, days, top)
    first, beyond = days
    parts = [*stretches(first, min(today, beyond)), *stretches(max(today, first), beyond)]
    numbers: defaultdict[tuple[str, date], int] = defaultdict(int)
    for row in await connection.fetch(SQL["folded"], asked.onlooker.tenant, *days):
        numbers[row["projection"], row["day"]] = row["generation"]
    keys = {
        name: [(name, asked.key, each, sum(numbers[name, day] for day in each.days())) for each in parts]
        for name in (CELLS, CALLS)
    }
    past = [each.beyond <= today for each in parts]
    used = await _read(connection, "units_of_stretches", asked, parts, keys[CELLS], past, kept)
    ended = await _read(connection, "calls", asked, parts, keys[CALLS], past, kept)
    if used is None or ended is None:
        kept.keep(wide, [])  # else all that is too much would be read for each look, and thrown away
        return await _by_postgres(connection, asked, days, top)
    groups = _added_up(used, ("key", "currency"), SUMMED)
    rows = [row for row in groups.values() if row["booked"] or row["cost"]]
    rows.sort(key=lambda row: (-row["cost"], -row["requests"], row["currency"], row["key"]))
    calls = _added_up(ended, ("key",), COUNTED)
    return UnitsFound(rows[:top], len(rows), {tuple(row["key"]): row for row in calls.values()})


async def _read(
    connection: TenantConnection,
    statement: str,
    asked: UnitsAsked,
    days: Sequence[PriceDays],
    keys: Sequence[Any],
    past: Sequence[bool],
    kept: BookedDays,
) -> list[_Row] | None:
    """Rows of all these stretches; None = too many. Those that are `past` are kept: of today each number is
    another one, and what was read by the one before would be kept for nobody."""
    found = {key: kept.get(key) for key in keys}
    missing = [place for place, key in enumerate(keys) if found[key] is None]
    if missing:
        units = [TOKENS, READ, WRITTEN] if statement == "units_of_stretches" else []
        parameters = asked.parameters([days[place] for place in missing])
        read = await connection.fetch(SQL[statement], *parameters, *units, ROWS_MAX + 1)
        if len(read) > ROWS_MAX:
            return None
        by_place: defaultdict[int, list[_Row]] = defaultdict(list)
        for row in read:
            by_place[row["place"]].append(dict(row))
        for number, place in enumerate(missing, 1):
            found[keys[place]] = by_place[number]
            if past[place]:
                kept.keep(keys[place], by_place[number])
    rows = [row for of in found.values() for row in of or ()]
    return rows if len(rows) <= ROWS_MAX else None


def _added_up(rows: Sequence[_Row], names: Sequence[str], sums: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """By the values of `names`; what was read stays as it was."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        key = tuple(tuple(row[name]) if name == "key" else row[name] for name in names)
        total = found.get(key)
        if total is None:
            found[key] = dict(row)
            continue
        for name in sums:
            total[name] = _sum(total[name], row[name])
    return found


def _sum(one: int | Decimal, other: int | Decimal) -> int | Decimal:
    return EXACT.add(one, other) if isinstance(one, Decimal) else one + other


async def _by_postgres(
    connection: TenantConnection, asked: UnitsAsked, days: tuple[date, date], top: int
) -> UnitsFound:
    parameters = asked.parameters([PriceDays(*days)])
    rows = await connection.fetch(SQL["units"], *parameters, TOKENS, READ, WRITTEN, top)
    calls = await connection.fetch(SQL["calls"], *parameters, None)
    return UnitsFound(rows, rows[0]["groups"] if rows else 0, {tuple(row["key"]): row for row in calls})
