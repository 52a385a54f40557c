"""Windows of planned spend: what is unusual in them is kept and shown, and told nobody; budgets are told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from services.api.access.auth import Governing, Reader
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found, too_many
from services.api.http.representation import Negotiated
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.series import WATCHED_DIMENSIONS
from spendmeter.platform.sql import load_sql

WINDOWS_MAX = 100
SHOWN_MAX = 200
WINDOW_MAX = timedelta(days=31)
MISSING = "no such window"

SQL = load_sql(Path(__file__).with_name("planned.sql"))
router = APIRouter(tags=["incidents"], route_class=Negotiated)

PlanReason = Annotated[Text, Field(min_length=1, max_length=500)]


def _watched(scope: dict[str, str]) -> dict[str, str]:
    unknown = sorted(scope.keys() - set(WATCHED_DIMENSIONS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: a plan is for {', '.join(WATCHED_DIMENSIONS)}")
    return {dimension: as_booked(dimension, value) for dimension, value in scope.items()}


class NewPlannedWindow(RequestBody):
    """What is planned: of which part of the spend ({} = all of it), from when to when, and why."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    filter: Annotated[
        dict[str, Annotated[Text, Field(min_length=1, max_length=256)]], AfterValidator(_watched)
    ] = Field(default={}, examples=[{"team": "data"}])
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: PlanReason

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta() < self.ends_at - self.starts_at <= WINDOW_MAX:
            raise ValueError(f"a window ends after it starts, within {WINDOW_MAX.days} days")
        return self


class PlannedWindowAnswer(BaseModel):
    """A window. `incidents`: how many were kept in it and not told."""

    id: UUID
    name: str
    filter: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    state: Literal["ahead", "under_way", "over", "cancelled"]
    incidents: int
    reason: str
    created_by: str
    created_at: datetime
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancel_reason: str | None


class PlannedWindows(BaseModel):
    """Those that begin last come first; the newest 200."""

    windows: list[PlannedWindowAnswer]


@router.get("/v1/planned-windows", responses=answers("planned_windows"))
async def list_windows(request: Request, caller: Reader) -> PlannedWindows:
    """When spend is planned to be unusual, and when it was."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None, SHOWN_MAX)
    return PlannedWindows(windows=[PlannedWindowAnswer(**row) for row in rows])


@router.post("/v1/planned-windows", status_code=201, responses=answers("planned_window", status=201))
async def add_window(request: Request, caller: Governing, body: NewPlannedWindow) -> PlannedWindowAnswer:
    """Plan spend: bursts, shifts, loops, firsts and drift of that scope are kept meanwhile, and not told."""
    if body.ends_at <= datetime.now(UTC):
        raise invalid("ends_at", "is over: what was told was told")
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        if await connection.fetchval(SQL["count"]) >= WINDOWS_MAX:
            raise too_many("planned windows", WINDOWS_MAX)
        added = await connection.fetchval(
            SQL["add"], caller.tenant, body.name, body.filter, body.starts_at, body.ends_at, body.reason,
            caller.by,
        )  # fmt: skip
        return await _read_one(connection, added)


@router.delete("/v1/planned-windows/{id}", responses=answers("planned_window", missing=MISSING))
async def cancel_window(
    request: Request, caller: Governing, id: UUID, reason: Annotated[PlanReason, Query()]
) -> PlannedWindowAnswer:
    """End a window now, or call it off. What goes on six minutes later is told."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["cancel"], id, caller.by, reason)
        window = await _read_one(connection, id)
        if window.cancelled_at is None:
            raise HttpRefusal(409, "Over already", "the window has ended by itself")
        return window


async def _read_one(connection: TenantConnection, id: UUID) -> PlannedWindowAnswer:
    row = await connection.fetchrow(SQL["list"], id, 1)
    if row is None:
        raise not_found(MISSING)
    return PlannedWindowAnswer(**row)
