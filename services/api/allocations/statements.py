"""`GET /v1/statements/...`: what one cost centre bears of a month, line by line."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from fastapi import APIRouter, Request

from services.api.access.auth import Caller, Reader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import completeness
from services.api.allocations.allocating import Target
from services.api.allocations.carried import PeriodReader
from services.api.allocations.days import Dimension, Month, month_of
from services.api.allocations.models import Statement
from services.api.allocations.plans import checked_dimension
from services.api.allocations.reading import HandedOn, read_versions, unseen
from services.api.allocations.statement import lines_of, totals_of_lines
from services.api.database.remembered import BookedDays
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import NOT_MEASURED
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated
from services.api.periods.reading import read_closed_at
from services.api.spend.moments import AsOf, stood_at, told_of
from spendmeter.contracts.gate import as_booked

router = APIRouter(tags=["allocation"], route_class=Negotiated)


@router.get(
    "/v1/statements/{cost_centre:path}",
    responses=answers("statement", missing="no such cost centre"),
)
@answered_once
async def get_statement(
    request: Request,
    caller: Reader,
    cost_centre: str,
    month: Month = None,
    dimension: Dimension = "team",
    as_of: AsOf = None,
) -> Statement:
    """What one cost centre bears of a month: what it spent itself, by cost class, provider and sku, and its
    part of each pool. All statements of a month, with what is residual and unattributed, are the ledger's.
    What was booked of earlier months after these were closed is in lines of its own (`corrects`). With
    `as_of` it is of the book, and by the versions of the plan, that there were then."""
    now = datetime.now(UTC)
    _, statement = await read_statement(request, caller, cost_centre, month, dimension, now, as_of)
    return statement


async def read_statement(
    request: Request,
    caller: Caller,
    cost_centre: str,
    month: str | None,
    dimension: str,
    now: datetime,
    as_of: str | None = None,
) -> tuple[Tenant, Statement]:
    """The statement at `now`, or as it stood `as_of`, and whose it is. Raises HttpRefusal."""
    kept: BookedDays = request.app.state.booked_days
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        await checked_dimension(connection, dimension)
        tenant = await read_tenant(connection, caller.tenant)
        stood = await stood_at(connection, as_of, tenant.calendar())
        now = stood.at if stood else now
        days = month_of(month, tenant, now)
        complete = NOT_MEASURED if stood else await completeness(request, connection)
        versions = (await read_versions(connection, dimension, stood and stood.at)).get(dimension, [])
        centre = as_booked(dimension, cost_centre)
        reader = PeriodReader(
            connection=connection, tenant=tenant, dimension=dimension, versions=versions, kept=kept,
            centre=centre, moment=stood and stood.moment,
        )  # fmt: skip
        handed = await reader.own(days[0])
        lines = [*lines_of(handed, centre, days), *await reader.corrections(days[0])]
        if not lines and not await _is_known(connection, dimension, centre, handed):
            raise not_found(f"nothing was ever booked or shared out to {dimension} {centre[:64]!r}")
        closed_at = await read_closed_at(connection, days[0], now)
    statement = Statement(
        dimension=dimension,
        cost_centre=centre,
        month=f"{days[0]:%Y-%m}",
        first_day=days[0],
        until=days[1],
        tz=str(tenant.zone),
        **told_of(stood, tenant.zone),
        is_over=tenant.timeline.midnight(days[1]) <= now,
        closed_at=closed_at,
        totals=totals_of_lines(lines, tenant.currency),
        lines=lines,
        **vars(complete),
    )
    return tenant, statement


async def _is_known(
    connection: TenantConnection, dimension: str, centre: str, handed: Collection[HandedOn]
) -> bool:
    """A name with a typing error in it must not read as nothing to pay."""
    if any(
        Target("cost_centre", centre) == share.target for each in handed for share in each.allocated.shares
    ):
        return True
    return bool(centre) and not await unseen(connection, dimension, [centre])
