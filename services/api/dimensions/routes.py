"""A tenant's own dimensions, declared and retired. Which labels are kept by then, ingest decides."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import SQL
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.dimensions import ACTIVE_MAX, DECLARED_MAX, trouble_with_name
from spendmeter.contracts.series import DIMENSIONS

router = APIRouter(tags=["dimensions"], route_class=Negotiated)

DimensionReason = Annotated[Text, Field(min_length=1, max_length=500)]


class NewDimension(RequestBody):
    """A name to be declared: labels of it are kept from then on, within 5 s."""

    name: Annotated[Text, Field(max_length=64, examples=["cost_centre"])]
    reason: DimensionReason


class Retirement(RequestBody):
    """Why its labels are kept no longer."""

    reason: DimensionReason


class DeclaredDimension(BaseModel):
    """A dimension of the tenant's own. `active`: its labels are kept; of a retired one, what was booked can
    still be grouped and filtered by. By whom, when and why: of the last change."""

    name: str
    active: bool
    reason: str
    by: str
    at: datetime


class DimensionList(BaseModel):
    """Every name that spend can be grouped and filtered by."""

    built_in: list[str]
    own: list[DeclaredDimension]


@router.get("/v1/dimensions", responses=answers("dimensions"))
async def list_dimensions(request: Request, caller: Reader) -> DimensionList:
    """What spend can be grouped and filtered by: everybody's dimensions, and the tenant's own."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _read(connection)


@router.post("/v1/dimensions", status_code=201, responses=answers("dimensions", status=201))
async def declare_dimension(request: Request, caller: Writer, body: NewDimension) -> DimensionList:
    """Declare a dimension, or a retired one again: labels of that name are kept from then on, and part of the
    series. What was sent before stays as it was."""
    if trouble := trouble_with_name(body.name):
        raise invalid("name", trouble)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        own = await _held(connection, caller.tenant)
        if own.get(body.name, False):
            return await _read(connection)
        if sum(own.values()) >= ACTIVE_MAX or (body.name not in own and len(own) >= DECLARED_MAX):
            detail = (
                f"a tenant sends at most {ACTIVE_MAX} dimensions of its own, of {DECLARED_MAX} names ever"
            )
            raise HttpRefusal(409, "Too many", detail)
        await _act(connection, caller.tenant, body.name, "declared", body.reason, caller.by)
        return await _read(connection)


@router.post(
    "/v1/dimensions/{name}/retire",
    responses=answers("dimensions", missing="the tenant has no such dimension"),
)
async def retire_dimension(request: Request, caller: Writer, name: str, body: Retirement) -> DimensionList:
    """Keep labels of that name no longer. What is booked keeps them, and can be asked for."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        own = await _held(connection, caller.tenant)
        if name not in own:
            raise not_found(f"the tenant has no dimension {name[:64]!r} of its own")
        if own[name]:
            await _act(connection, caller.tenant, name, "retired", body.reason, caller.by)
        return await _read(connection)


async def _held(connection: TenantConnection, tenant: str) -> dict[str, bool]:
    """Whether each of the tenant's own is active; nobody else changes them meanwhile."""
    await connection.execute(SQL["hold"], tenant)
    return {row["name"]: row["active"] for row in await connection.fetch(SQL["list"])}


async def _act(connection: TenantConnection, tenant: str, name: str, act: str, reason: str, by: str) -> None:
    await connection.execute(SQL["act"], tenant, name, act, reason, by)


async def _read(connection: TenantConnection) -> DimensionList:
    own = [DeclaredDimension(**row) for row in await connection.fetch(SQL["list"])]
    return DimensionList(built_in=list(DIMENSIONS), own=own)
