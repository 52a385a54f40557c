"""Incidents, as alerts opened them; what people do about them is in acts.py."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated
from services.api.incidents.models import IncidentAnswer, Incidents
from spendmeter.contracts.events import Instant
from spendmeter.contracts.incidents import IncidentState
from spendmeter.platform.sql import load_sql

INCIDENTS_MAX = 200
MISSING = "no such incident"
_LAST_ID = UUID(int=2**128 - 1)

SQL = load_sql(Path(__file__).with_name("incidents.sql"))
router = APIRouter(tags=["incidents"], route_class=Negotiated)


@router.get("/v1/incidents", responses=answers("incidents"))
async def list_incidents(
    request: Request,
    caller: Reader,
    state: Annotated[list[IncidentState] | None, Query(description="default: all")] = None,
    parent: Annotated[UUID | None, Query(description="those that were folded into this one")] = None,
    limit: Annotated[int, Query(ge=1, le=INCIDENTS_MAX)] = 50,
    cursor: str = "",
) -> Incidents:
    """The tenant's incidents, newest first."""
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    after = decode_cursor(cursor, tuple[Instant, UUID]) if cursor else (in_a_minute, _LAST_ID)
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None, state, *after, parent, limit + 1)
    incidents, more = page(IncidentAnswer, rows, limit, lambda row: (row["opened_at"], str(row["id"])))
    return Incidents(incidents=incidents, next_cursor=more)


@router.get("/v1/incidents/{id}", responses=answers("incident", missing=MISSING))
async def get_incident(request: Request, caller: Reader, id: UUID) -> IncidentAnswer:
    """One incident."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await read_one(connection, id)


async def read_one(connection: TenantConnection, id: UUID) -> IncidentAnswer:
    """One incident as it is now. Raises HttpRefusal (404)."""
    ever = datetime.max.replace(tzinfo=UTC)
    row = await connection.fetchrow(SQL["list"], id, None, ever, _LAST_ID, None, 1)
    if row is None:
        raise not_found(f"there is no incident {id}")
    return IncidentAnswer(**row)
