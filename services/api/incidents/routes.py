"""Incidents, as alerts opened them; people acknowledge them here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.models import DecimalString, RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.events import Instant
from spendmeter.contracts.incidents import IncidentKind, IncidentState
from spendmeter.platform.sql import load_sql

INCIDENTS_MAX = 200
_LAST_ID = UUID(int=2**128 - 1)

SQL = load_sql(Path(__file__).with_name("incidents.sql"))
router = APIRouter(tags=["incidents"], route_class=Negotiated)


class Figure(BaseModel):
    """One figure with its label: exact in `amount`, in `unit` (USD, USD/h), rounded in `text`."""

    label: str
    amount: DecimalString
    unit: str
    text: str


class Incident(BaseModel):
    """Something that went beyond its budget or its expectation. Amounts in `currency`: `amount` since
    `began_at`, against `expected` (a budget's amount; what the scope would have spent meanwhile). Those of an
    anomaly are its burst's: they and `peak_per_hour` stay when it is over. `title` and `text` are rounded."""

    id: UUID
    state: IncidentState
    kind: IncidentKind
    rule: str
    rule_name: str
    title: str
    scope: dict[str, str]
    key_names: dict[str, str]
    """The names of the keys in `scope` and `top_contributor`, by id."""
    period_start: datetime | None
    period_end: datetime | None
    threshold_percent: DecimalString | None
    currency: str
    amount: DecimalString
    expected: DecimalString
    rate_per_hour: DecimalString
    peak_per_hour: DecimalString
    expected_per_hour: DecimalString
    of_which_provisional: DecimalString
    top_contributor: dict[str, Any]
    figures: list[Figure]
    summary: str
    suggested_action: str
    link: str
    """Where the portal shows it; '' = this installation has not set SPENDMETER_PORTAL_URL for alerts."""
    began_at: datetime
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    resolution: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None


class Incidents(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("incidents",)

    incidents: list[Incident]
    next_cursor: str | None


class Acknowledgement(RequestBody):
    """`note` is for those who come after."""

    note: Annotated[Text, Field(max_length=2000)] = ""


@router.get("/v1/incidents", responses=answers("incidents"))
async def list_incidents(
    request: Request,
    caller: Reader,
    state: Annotated[list[IncidentState] | None, Query(description="default: all")] = None,
    limit: Annotated[int, Query(ge=1, le=INCIDENTS_MAX)] = 50,
    cursor: str = "",
) -> Incidents:
    """The tenant's incidents, newest first."""
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    after = decode_cursor(cursor, tuple[Instant, UUID]) if cursor else (in_a_minute, _LAST_ID)
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None, state, *after, limit + 1)
    incidents, more = page(Incident, rows, limit, lambda row: (row["opened_at"], str(row["id"])))
    return Incidents(incidents=incidents, next_cursor=more)


@router.get("/v1/incidents/{id}", responses=answers("incident", missing="no such incident"))
async def get_incident(request: Request, caller: Reader, id: UUID) -> Incident:
    """One incident."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _one(connection, id)


@router.post("/v1/incidents/{id}/acknowledge", responses=answers("incident", missing="no such incident"))
async def acknowledge_incident(request: Request, caller: Writer, id: UUID, said: Acknowledgement) -> Incident:
    """Say that somebody has it in hand. A second acknowledgement changes nothing."""
    async with database_of(request).writing(caller.tenant) as connection:
        await connection.execute(SQL["acknowledge"], id, f"key {caller.key_id}", said.note)
        return await _one(connection, id)


async def _one(connection: TenantConnection, id: UUID) -> Incident:
    ever = datetime.max.replace(tzinfo=UTC)
    row = await connection.fetchrow(SQL["list"], id, None, ever, _LAST_ID, 1)
    if row is None:
        raise not_found(f"there is no incident {id}")
    return Incident(**row)
