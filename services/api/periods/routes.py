"""`/v1/periods`: a tenant's accounting months; closing one, and reopening it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from services.api.access.auth import Governing, Reader, Writer
from services.api.database.tenant import read_tenant
from services.api.database.transactions import database_of
from services.api.http.openapi import answers
from services.api.http.problems import conflict, invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import YEARS
from services.api.periods.models import AccountingPeriod, AccountingPeriods, NewClosing, Reopening
from services.api.periods.reading import SQL, read_periods

MONTHS_MAX = 60
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
MonthInPath = Annotated[str, Path(description="a month of the tenant", examples=["2026-10"])]

router = APIRouter(tags=["periods"], route_class=Negotiated)


@router.get("/v1/periods", responses=answers("periods"))
async def list_periods(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=MONTHS_MAX, description="how many, the newest first")] = 24,
) -> AccountingPeriods:
    """The tenant's accounting months, back to the first with anything booked: which are closed, by whom and
    when, what each had at its close, and what was booked in it of earlier ones that were closed by then."""
    async with database_of(request).reading(caller.tenant) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        books = await read_periods(connection, tenant, datetime.now(UTC))
    return AccountingPeriods(tz=str(tenant.zone), periods=books.periods(limit))


@router.post("/v1/periods/{period}/close", status_code=202, responses=answers("period_closing", status=202))
async def close_period(
    request: Request, caller: Governing, period: MonthInPath, body: NewClosing
) -> AccountingPeriod:
    """Close a month that is over, in the order of months; it takes a second or two, and `state` says when it
    is done. From then on its statements change no more: what comes for it late, or corrects it, is booked
    with its own time in the next period that is open, and nothing is refused. Budgets and views of spend go
    by an event's time, and count it where it happened. 409 where it is not over, or one before it is open."""
    month = _month(period)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        tenant = await read_tenant(connection, caller.tenant)
        if why := (await read_periods(connection, tenant, datetime.now(UTC), month)).why_not_close(month):
            raise conflict(why)
        await connection.execute(SQL["close"], caller.tenant, month, body.note, caller.by)
        return (await read_periods(connection, tenant, datetime.now(UTC), month)).period(month)


@router.post("/v1/periods/{period}/reopen", responses=answers("period_reopened"))
async def reopen_period(
    request: Request, caller: Writer, period: MonthInPath, body: Reopening
) -> AccountingPeriod:
    """Open the month that was closed last again: what comes for it from now on is booked in it. What was
    booked elsewhere meanwhile stays there, and the closing with its sums stays in the history. 409 where
    another was closed after it."""
    month = _month(period)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        tenant = await read_tenant(connection, caller.tenant)
        books = await read_periods(connection, tenant, datetime.now(UTC), month)
        if why := books.why_not_reopen(month):
            raise conflict(why)
        number = books.closings[month][0].number
        await connection.execute(SQL["reopen"], month, number, caller.by, body.reason)
        return (await read_periods(connection, tenant, datetime.now(UTC), month)).period(month)


def _month(text: str) -> date:
    if not _MONTH.fullmatch(text) or not YEARS[0] <= int(text[:4]) < YEARS[1]:
        raise invalid("period", "must be a month such as 2026-10")
    return date.fromisoformat(f"{text}-01")
