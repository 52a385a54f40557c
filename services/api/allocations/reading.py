"""A question's stretches with what was booked in them, read as one instant, and handed on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from services.api.allocations.allocating import (
    SUMS,
    Allocated,
    BookedSum,
    CostLine,
    DriverQuantity,
    allocate,
    filter_of,
)
from services.api.allocations.plan import COSTS, CostPool
from services.api.allocations.versions import PlanAct, PlanStretch, stretches_of
from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.problems import invalid
from spendmeter.book.reading import spent_in
from spendmeter.book.units import UNIT_PARTS
from spendmeter.platform.sql import load_sql

ROWS_MAX = 100_000
VERSIONS_MAX = 500
"""Of one dimension."""
ACTS_MAX = 20_000
"""Of all of them: more than there can be."""
STRETCHES_MAX = 100

SQL = load_sql(Path(__file__).with_name("allocations.sql"), UNIT_PARTS)


@dataclass(frozen=True, kw_only=True)
class HandedOn:
    """A stretch of a question and what became of its cost."""

    stretch: PlanStretch
    allocated: Allocated


async def read_versions(connection: TenantConnection, dimension: str | None) -> dict[str, list[PlanAct]]:
    """By dimension every version that was ever set, the newest act first."""
    found: dict[str, list[PlanAct]] = defaultdict(list)
    for row in await connection.fetch(SQL["acts"], dimension, ACTS_MAX):
        pools = msgspec.convert(row["pools"], tuple[CostPool, ...])
        version = PlanAct(row["number"], row["first_day"], pools, row["reason"], row["by"], row["at"])
        found[row["dimension"]].append(version)
    return found


async def hand_on(
    connection: TenantConnection,
    tenant: Tenant,
    dimension: str,
    days: tuple[date, date],
    versions: Sequence[PlanAct],
) -> list[HandedOn]:
    """What was booked on days [first, beyond), stretch by stretch. Raises HttpRefusal (422) over a bound."""
    stretches = stretches_of(*days, versions)
    if len(stretches) > STRETCHES_MAX:
        raise invalid("to", f"{len(stretches)} versions and months lie in it, at most {STRETCHES_MAX} may")
    booked, quantities = await _read(connection, tenant, dimension, stretches)
    return [
        HandedOn(stretch=stretch, allocated=allocate(stretch.pools, booked[place], quantities[place]))
        for place, stretch in enumerate(stretches, 1)
    ]


async def _read(
    connection: TenantConnection, tenant: Tenant, dimension: str, stretches: Sequence[PlanStretch]
) -> tuple[dict[int, list[BookedSum]], dict[int, list[DriverQuantity]]]:
    """By the place of a stretch, from 1."""
    edges = [
        tenant.timeline.midnight(day) for day in (*(each.first for each in stretches), stretches[-1].beyond)
    ]
    pools = [pool for stretch in stretches for pool in stretch.pools]
    drivers = [pool.driver for pool in pools if pool.driver is not None]
    filters = [*(pool.filter for pool in pools), *(driver.filter for driver in drivers)]
    scopes = list(dict.fromkeys(map(filter_of, filters)))
    units = sorted({each.measure for each in drivers} - {*COSTS, "events"})
    spent = await spent_in(connection, tenant.tenant, edges, tenant.timeline)
    asked: list[Any] = [*spent, edges[:-1], dimension, [dict(scope) for scope in scopes]]
    await connection.execute(SQL["join_by_hash"])
    booked: dict[int, list[BookedSum]] = defaultdict(list)
    rows = await connection.fetch(SQL["booked"], *asked, ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        raise invalid("to", f"more than {ROWS_MAX:,} sums of models and {dimension}s lie in it: ask for less")
    for row in rows:
        line = CostLine(row["currency"], row["cost_class"], row["provider"], row["sku"])
        within = frozenset(scopes[place - 1] for place in row["within"])
        amounts = tuple(row[name] for name in SUMS)
        each = BookedSum(row["value"], line, within, row["events"], row["unpriced_events"], amounts)
        booked[row["stretch"]].append(each)
    quantities: dict[int, list[DriverQuantity]] = defaultdict(list)
    for row in await connection.fetch(SQL["quantities"], *asked, units) if units else ():
        within = frozenset(scopes[place - 1] for place in row["within"])
        quantities[row["stretch"]].append(DriverQuantity(row["value"], within, row["unit"], row["quantity"]))
    return booked, quantities
