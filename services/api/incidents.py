"""Incidents, as alerts opened them; people acknowledge them here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.api.auth import Reader, Writer
from services.api.database import Connection, database_of
from services.api.openapi import answers
from services.api.problems import not_found
from services.api.question import Text, decode_cursor, encode_cursor
from spendmeter.contracts.events import Instant
from spendmeter.contracts.incidents import Kind, State
from spendmeter.contracts.money import plain
from spendmeter.platform.postgres import load_sql

INCIDENTS_MAX = 200
_LAST_ID = UUID(int=2**128 - 1)

SQL = load_sql(Path(__file__).with_name("sql") / "incidents.sql")
router = APIRouter(tags=["incidents"])


class Incident(BaseModel):
    """Something that went beyond its budget or its expectation. Amounts in `currency`: `amount` since
    `began_at`, against `expected` (a budget's amount; what the scope would have spent meanwhile)."""

    id: UUID
    state: State
    kind: Kind
    rule: str
    rule_name: str
    scope: dict[str, str]
    period_start: datetime | None
    period_end: datetime | None
    threshold_percent: str | None
    currency: str
    amount: str
    expected: str
    rate_per_hour: str
    expected_per_hour: str
    of_which_provisional: str
    top_contributor: dict[str, Any]
    summary: str
    suggested_action: str
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

    incidents: list[Incident]
    next_cursor: str | None


class Acknowledgement(BaseModel):
    """`note` is for those who come after."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[Text, Field(max_length=2000)] = ""


@router.get("/v1/incidents", responses=answers("incidents"))
async def list_incidents(
    request: Request,
    caller: Reader,
    state: Annotated[list[State] | None, Query(description="default: all")] = None,
    limit: Annotated[int, Query(ge=1, le=INCIDENTS_MAX)] = 50,
    cursor: str = "",
) -> Incidents:
    """The tenant's incidents, newest first."""
    in_a_minute = datetime.now(UTC) + timedelta(minutes=1)
    after = decode_cursor(cursor, tuple[Instant, UUID]) if cursor else (in_a_minute, _LAST_ID)
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None, state, *after, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Incidents(
        incidents=[_incident(row) for row in rows[:limit]],
        next_cursor=last and encode_cursor((last["opened_at"], str(last["id"]))),
    )


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


async def _one(connection: Connection, id: UUID) -> Incident:
    ever = datetime.max.replace(tzinfo=UTC)
    row = await connection.fetchrow(SQL["list"], id, None, ever, _LAST_ID, 1)
    if row is None:
        raise not_found(f"there is no incident {id}")
    return _incident(row)


def _incident(row: Any) -> Incident:
    money = ("amount", "expected", "rate_per_hour", "expected_per_hour", "of_which_provisional")
    same = (
        "id", "kind", "rule_name", "period_start", "period_end", "currency", "summary", "suggested_action",
        "began_at", "opened_at", "updated_at", "resolved_at", "resolution", "acknowledged_by",
        "acknowledged_at", "note",
    )  # fmt: skip
    threshold = row["threshold_percent"]
    return Incident(
        state=row["shown"],
        rule=row["rule_id"],
        scope=msgspec.json.decode(row["scope"]),
        threshold_percent=None if threshold is None else plain(threshold),
        top_contributor=msgspec.json.decode(row["top_contributor"]),
        **{name: plain(row[name]) for name in money},
        **{name: row[name] for name in same},
    )
