"""`GET /v1/allocations`: who bears what was booked; `GET /v1/statements/...`: one of them, line by line."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import completeness
from services.api.allocations.allocating import Target
from services.api.allocations.answering import (
    pooled_costs,
    rows_of,
    shared_amounts,
    stretch_answers,
    totals_of,
)
from services.api.allocations.days import FromDay, Month, RangeOfDays, ToDay, days_of, month_of
from services.api.allocations.models import Allocations, Statement
from services.api.allocations.plans import checked_dimension
from services.api.allocations.reading import HandedOn, hand_on, read_stretches, read_versions, unseen
from services.api.allocations.remembered import BookedDays
from services.api.allocations.statement import lines_of, totals_of_lines
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.gate import as_booked

SHARES_MAX = 10_000
router = APIRouter(tags=["allocation"], route_class=Negotiated)

Dimension = Annotated[str, Query(description="to whose values cost is handed on", examples=["team"])]


@router.get(
    "/v1/allocations",
    summary="Who bears what was spent: directly, and by the rules for shared cost",
    responses=answers("allocations", missing="no such dimension"),
)
@answered_once
async def get_allocations(
    request: Request,
    caller: Reader,
    start: FromDay = None,
    end: ToDay = None,
    range: RangeOfDays = None,
    dimension: Dimension = "team",
    cost_centre: Annotated[
        str | None, Query(description="`shares` of this one alone; the rows are everybody's")
    ] = None,
    shares: Annotated[bool, Query(description="false leaves out how each shared amount came about")] = True,
) -> Allocations:
    """Who bears what was booked on whole days of the tenant. A plan shares out each month, or the part of it
    that is asked for and in which one of its versions holds, by what was measured on these days: days of a
    part add up to the same money, and to other shares. Rows and residual are the ledger's total, once.

    Without a plan everybody bears what is booked under their name; what names nobody is `unattributed`."""
    now = datetime.now(UTC)
    kept: BookedDays = request.app.state.booked_days
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        await checked_dimension(connection, dimension)
        tenant = await read_tenant(connection, caller.tenant)
        days = days_of(start, end, range, tenant, now)
        complete = await completeness(request, connection)
        versions = (await read_versions(connection, dimension)).get(dimension, [])
        read = await read_stretches(connection, tenant, dimension, days, versions, kept)
    handed = await hand_on(read)
    only = None if cost_centre is None else as_booked(dimension, cost_centre)
    shared = shared_amounts(handed, only) if shares else []
    if len(shared) > SHARES_MAX:
        raise invalid("shares", f"{len(shared):,} amounts: ask for one cost_centre's, or shares=false")
    rows = rows_of(handed, tenant.currency)
    return Allocations(
        dimension=dimension,
        first_day=days[0],
        until=days[1],
        tz=str(tenant.zone),
        currency=tenant.currency,
        totals=totals_of(handed, rows),
        rows=rows,
        stretches=stretch_answers(handed),
        pools=pooled_costs(handed),
        shares=shared,
        **vars(complete),
    )


@router.get(
    "/v1/statements/{cost_centre:path}",
    responses=answers("statement", missing="no such cost centre"),
)
@answered_once
async def get_statement(
    request: Request, caller: Reader, cost_centre: str, month: Month = None, dimension: Dimension = "team"
) -> Statement:
    """What one cost centre bears of a month: what it spent itself, by cost class, provider and sku, and its
    part of each pool. All statements of a month, with what is residual and unattributed, are the ledger's."""
    now = datetime.now(UTC)
    kept: BookedDays = request.app.state.booked_days
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        await checked_dimension(connection, dimension)
        tenant = await read_tenant(connection, caller.tenant)
        days = month_of(month, tenant, now)
        complete = await completeness(request, connection)
        versions = (await read_versions(connection, dimension)).get(dimension, [])
        centre = as_booked(dimension, cost_centre)
        read = await read_stretches(connection, tenant, dimension, days, versions, kept, centre)
        handed = await hand_on(read, centre)
        if not await _is_known(connection, dimension, centre, handed):
            raise not_found(f"nothing was ever booked or shared out to {dimension} {centre[:64]!r}")
    lines = lines_of(handed, centre, days)
    return Statement(
        dimension=dimension,
        cost_centre=centre,
        month=f"{days[0]:%Y-%m}",
        first_day=days[0],
        until=days[1],
        tz=str(tenant.zone),
        is_over=tenant.timeline.midnight(days[1]) <= now,
        totals=totals_of_lines(lines, tenant.currency),
        lines=lines,
        **vars(complete),
    )


async def _is_known(
    connection: TenantConnection, dimension: str, centre: str, handed: Collection[HandedOn]
) -> bool:
    """A name with a typing error in it must not read as nothing to pay."""
    if any(
        Target("cost_centre", centre) == share.target for each in handed for share in each.allocated.shares
    ):
        return True
    return bool(centre) and not await unseen(connection, dimension, [centre])
