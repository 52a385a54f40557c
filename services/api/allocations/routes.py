"""`GET /v1/allocations`: who bears what was booked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import completeness
from services.api.allocations.answering import (
    pooled_costs,
    rows_of,
    shared_amounts,
    stretch_answers,
    totals_of,
)
from services.api.allocations.days import Dimension, FromDay, RangeOfDays, ToDay, days_of
from services.api.allocations.models import Allocations
from services.api.allocations.plans import checked_dimension
from services.api.allocations.reading import hand_on, read_stretches, read_versions
from services.api.database.remembered import BookedDays
from services.api.database.tenant import read_tenant
from services.api.database.transactions import database_of
from services.api.http.models import NOT_MEASURED
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.spend.moments import AsOf, stood_at, told_of
from spendmeter.contracts.gate import as_booked

SHARES_MAX = 10_000
router = APIRouter(tags=["allocation"], route_class=Negotiated)


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
    as_of: AsOf = None,
) -> Allocations:
    """Who bears what was booked on whole days of the tenant. A plan shares out each month, or the part of it
    that is asked for and in which one of its versions holds, by what was measured on these days: days of a
    part add up to the same money, and to other shares. Rows and residual are the ledger's total, once.

    With `as_of` it is of the book, and by the versions of the plan, that there were then.

    Without a plan everybody bears what is booked under their name; what names nobody is `unattributed`."""
    kept: BookedDays = request.app.state.booked_days
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        await checked_dimension(connection, dimension)
        tenant = await read_tenant(connection, caller.tenant)
        stood = await stood_at(connection, as_of, tenant.calendar())
        days = days_of(start, end, range, tenant, stood.at if stood else datetime.now(UTC))
        complete = NOT_MEASURED if stood else await completeness(request, connection)
        versions = (await read_versions(connection, dimension, stood and stood.at)).get(dimension, [])
        moment = stood and stood.moment
        read = await read_stretches(connection, tenant, dimension, days, versions, kept, moment=moment)
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
        **told_of(stood, tenant.zone),
        totals=totals_of(handed, rows),
        rows=rows,
        stretches=stretch_answers(handed),
        pools=pooled_costs(handed),
        shares=shared,
        **vars(complete),
    )
