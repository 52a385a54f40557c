"""What was booked in the stretches of a question, read as one instant; and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from services.api.allocations.allocating import (
    SUMS,
    Allocated,
    BookedSum,
    CostLine,
    DriverQuantity,
    Filter,
    allocate,
    filter_of,
)
from services.api.allocations.plan import COSTS, CostPool
from services.api.allocations.versions import PlanAct, PlanStretch, stretches_of, weeks_of
from services.api.database.remembered import BookedDays
from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.problems import invalid
from services.api.spend.past import cover_period
from spendmeter.book.as_of import NOW, THEN, Moment
from spendmeter.book.cover import Piece, cut
from spendmeter.book.reading import FOR_GOOD, Coverage, generations
from spendmeter.book.units import UNIT_COLUMNS, UNIT_PARTS
from spendmeter.platform.sql import load_sql

ROWS_MAX = 100_000
VERSIONS_MAX = 500
"""Of one dimension."""
ACTS_MAX = 20_000
"""Of all of them: more than there can be."""
STRETCHES_MAX = 100

_CARRIED_NOW = {"as_it_stood": "true"}
_CARRIED_THEN = {
    "as_it_stood": """EXISTS (
        SELECT FROM moments m,
            unnest(m.partitions, m.accounts, m.next_offsets) AS n (partition, account, next_offset)
        WHERE m.at = current_setting('app.as_of')::timestamptz AND n.partition = c.partition
            AND (c.next_offset <= n.next_offset OR c.recorded_at < (
                SELECT a.ended_at FROM closed_accounts a WHERE a.partition = n.partition AND n.account > 0
                ORDER BY a.ended_at OFFSET greatest(n.account - 1, 0) LIMIT 1))
            AND NOT c.recorded_at >= coalesce((
                SELECT a.ended_at FROM closed_accounts a WHERE a.partition = n.partition
                ORDER BY a.ended_at OFFSET n.account LIMIT 1), 'infinity'))"""
}
"""What was carried by a moment: by the offsets that it had, and before them by when accounts ended."""
SQL = load_sql(Path(__file__).with_name("allocations.sql"), {**UNIT_PARTS, **NOW, **_CARRIED_NOW})
SQL_THEN = load_sql(Path(__file__).with_name("allocations.sql"), {**UNIT_PARTS, **THEN, **_CARRIED_THEN})


_Row = BookedSum | DriverQuantity


@dataclass(frozen=True, kw_only=True)
class BookedStretch:
    """A stretch of a question and what was booked in it."""

    stretch: PlanStretch
    booked: list[BookedSum] = field(default_factory=list)
    quantities: list[DriverQuantity] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class HandedOn:
    """A stretch of a question and what became of its cost."""

    stretch: PlanStretch
    allocated: Allocated


async def read_versions(
    connection: TenantConnection, dimension: str | None, until: datetime | None = None
) -> dict[str, list[PlanAct]]:
    """By dimension every version that was ever set (`until`: by then), the newest act first."""
    found: dict[str, list[PlanAct]] = defaultdict(list)
    for row in await connection.fetch(SQL["acts"], dimension, ACTS_MAX):
        pools = msgspec.convert(row["pools"], tuple[CostPool, ...])
        version = PlanAct(row["number"], row["first_day"], pools, row["reason"], row["by"], row["at"])
        if until is None or version.at <= until:
            found[row["dimension"]].append(version)
    return found


async def unseen(connection: TenantConnection, dimension: str, values: Iterable[str]) -> list[str]:
    """Those of `values` that no event ever had: a name with a typing error in it is handed money all the
    same."""
    asked = sorted(set(values))
    seen = {row["value"] for row in await connection.fetch(SQL["seen"], dimension, asked)} if asked else set()
    return [value for value in asked if value not in seen]


@dataclass(frozen=True, kw_only=True)
class PlanQuestion:
    """What is asked of any pieces of time; `told`: the places of pools' filters in `scopes`, from 1."""

    tenant: str
    dimension: str
    scopes: tuple[Filter, ...]
    lines_of: str | None
    told: tuple[int, ...]
    units: tuple[str, ...]
    moment: Moment | None


@dataclass(frozen=True, kw_only=True)
class DaysAsked:
    """Days as they are shared out: their stretches; `weeks`: (first day, place of its stretch); `edges`:
    where these begin, and the end."""

    stretches: list[PlanStretch]
    weeks: list[tuple[date, int]]
    edges: list[datetime]
    question: PlanQuestion


def asked_of(
    tenant: Tenant,
    dimension: str,
    days: tuple[date, date],
    versions: Sequence[PlanAct],
    lines_of: str | None,
    moment: Moment | None,
) -> DaysAsked:
    """What is to be read of days [first, beyond). Raises HttpRefusal (422) over a bound."""
    stretches = stretches_of(*days, versions)
    if len(stretches) > STRETCHES_MAX:
        raise invalid("to", f"{len(stretches)} versions and months lie in it, at most {STRETCHES_MAX} may")
    weeks = weeks_of(stretches)
    edges = [tenant.timeline.midnight(day) for day, _ in weeks]
    edges.append(tenant.timeline.midnight(stretches[-1].beyond))
    pools = [filter_of(pool.filter) for stretch in stretches for pool in stretch.pools]
    drivers = [pool.driver for stretch in stretches for pool in stretch.pools if pool.driver is not None]
    scopes = list(dict.fromkeys([*pools, *(filter_of(driver.filter) for driver in drivers)]))
    units = sorted({each.measure for each in drivers} - {*COSTS, "events"})
    told = [place for place, scope in enumerate(scopes, 1) if scope in pools]
    question = PlanQuestion(
        tenant=tenant.tenant, dimension=dimension, scopes=tuple(scopes), lines_of=lines_of, told=tuple(told),
        units=tuple(units), moment=moment,
    )  # fmt: skip
    return DaysAsked(stretches=stretches, weeks=weeks, edges=edges, question=question)


async def read_stretches(
    connection: TenantConnection,
    tenant: Tenant,
    dimension: str,
    days: tuple[date, date],
    versions: Sequence[PlanAct],
    kept: BookedDays,
    lines_of: str | None = None,
    moment: Moment | None = None,
) -> list[BookedStretch]:
    """What was booked on days [first, beyond), by stretch: of pools and of the cost centre `lines_of` line by
    line; now, or as it stood at a moment. Raises HttpRefusal (422) over a bound."""
    asked = asked_of(tenant, dimension, days, versions, lines_of, moment)
    edges, weeks = asked.edges, asked.weeks
    spent = await cover_period(connection, tenant, edges, moment)
    found = [BookedStretch(stretch=stretch) for stretch in asked.stretches]
    for week, rows in await _read(connection, asked.question, spent, edges, kept):
        stretch = found[weeks[week - 1][1]]
        stretch.booked.extend(each for each in rows if isinstance(each, BookedSum))
        stretch.quantities.extend(each for each in rows if isinstance(each, DriverQuantity))
    return found


async def _read(
    connection: TenantConnection,
    question: PlanQuestion,
    spent: Coverage,
    edges: Sequence[datetime],
    kept: BookedDays,
) -> list[tuple[int, Sequence[_Row]]]:
    """Rows with the place of their week, from 1: whole days of a week as they are remembered, where nothing
    of them has changed since; the rest anew."""
    await connection.execute(SQL["join_by_hash"])
    rest = [piece for piece in spent.pieces() if piece.size != "day"]
    whole = [piece for piece in spent.pieces() if piece.size == "day"]
    numbers = FOR_GOOD if question.moment else await generations(connection, question.tenant, whole)
    days: dict[int, list[Piece]] = defaultdict(list)
    for week, piece in cut(whole, edges):
        days[week].append(piece)
    keys = {
        week: (question, tuple((piece, numbers.of(piece)) for piece in pieces))
        for week, pieces in days.items()
    }
    found = {week: kept.get(key) for week, key in keys.items()}
    missing = [piece for week in days if found[week] is None for piece in days[week]]
    if missing:
        read = await _rows_of(connection, question, spent.only(missing), edges)
        for week in (week for week in days if found[week] is None):
            found[week] = read.get(week, [])
            kept.keep(keys[week], read.get(week, []))
    anew = await _rows_of(connection, question, spent.only(rest), edges) if rest else {}
    together = [*((week, rows or ()) for week, rows in found.items()), *anew.items()]
    if sum(len(rows) for _, rows in together) > ROWS_MAX:
        raise invalid("to", f"more than {ROWS_MAX:,} sums lie in it: ask for less")
    return together


async def _rows_of(
    connection: TenantConnection, question: PlanQuestion, spent: Coverage, edges: Sequence[datetime]
) -> dict[int, list[_Row]]:
    """By the place of their week."""
    scopes, statements = question.scopes, SQL_THEN if question.moment else SQL
    asked: list[Any] = [*spent, edges[:-1], question.dimension, [dict(scope) for scope in scopes]]
    found: dict[int, list[_Row]] = defaultdict(list)
    for row in await connection.fetch(
        statements["booked"], *asked, question.lines_of, question.told, ROWS_MAX + 1
    ):
        line = CostLine(row["currency"], row["cost_class"], row["provider"], row["sku"])
        within = frozenset(scopes[place - 1] for place in row["within"])
        amounts = tuple(row[name] for name in SUMS)
        each = BookedSum(row["value"], line, within, row["events"], row["unpriced_events"], amounts)
        found[row["week"]].append(each)
    columns = [unit for unit in question.units if unit in UNIT_COLUMNS]
    others = [unit for unit in question.units if unit not in UNIT_COLUMNS]
    for name, units in (("quantities", columns), ("quantities_rest", others)):
        for row in await connection.fetch(statements[name], *asked, units) if units else ():
            within = frozenset(scopes[place - 1] for place in row["within"])
            used = DriverQuantity(row["value"], within, row["unit"], row["quantity"])
            found[row["week"]].append(used)
    return found


async def hand_on(read: Sequence[BookedStretch], lines_of: str | None = None) -> list[HandedOn]:
    """What becomes of it. Beside other requests: a year of many pools takes a second."""

    def each_of(stretch: BookedStretch) -> HandedOn:
        allocated = allocate(stretch.stretch.pools, stretch.booked, stretch.quantities, lines_of)
        return HandedOn(stretch=stretch.stretch, allocated=allocated)

    return await asyncio.to_thread(lambda: [*map(each_of, read)])
