"""`GET /v1/unbooked`: what arrived and was not booked, row by row, or counted by key and fault."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Anyone
from services.api.accounting.completeness import completeness
from services.api.database.transactions import database_of
from services.api.events.models import (
    Fault,
    KeyFaults,
    UnbookedCounts,
    UnbookedEvent,
    UnbookedList,
    UnbookedOutcome,
)
from services.api.events.remedies import remedy
from services.api.events.within import Limit, read_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from spendmeter.contracts.events import Instant
from spendmeter.platform.sql import load_sql

COUNTED_MAX = 20_000
"""Rows that one answer counts, the newest: each is looked up, whether something was booked instead."""
GROUPS_MAX = 100
DEFAULT_OUTCOMES: list[UnbookedOutcome] = ["conflict", "rejected", "stray"]

SQL = load_sql(Path(__file__).with_name("unbooked.sql"))
router = APIRouter(tags=["events"], route_class=Negotiated)

Outcomes = Annotated[list[UnbookedOutcome] | None, Query(description="default: all but duplicate")]
KeyId = Annotated[str | None, Query(max_length=128, description="sent by this key; empty: by none known")]
Source = Annotated[str | None, Query(max_length=256)]
ReasonText = Annotated[
    str | None,
    Query(min_length=1, max_length=500, description="a part of the reason, or a `fault` as counted"),
]
Resolved = Annotated[
    bool | None,
    Query(description="whether something was booked instead; of a duplicate, its first copy was"),
]


@router.get("/v1/unbooked", responses=answers("unbooked"))
async def get_unbooked(
    request: Request,
    caller: Anyone,
    span: SpanParameters,
    outcome: Outcomes = None,
    key: KeyId = None,
    source: Source = None,
    reason: ReasonText = None,
    resolved: Resolved = None,
    limit: Limit = 50,
    cursor: str = "",
) -> UnbookedList:
    """What arrived and was not booked, newest first: why, by which key, what was booked instead, and what to
    do. By default that of the last day. An operator who names no tenant sees what names none: what cannot be
    read as an event, and strays, which answer none."""
    filters = _filters(outcome, key, source, reason, resolved)
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await read_within(connection, caller.tenant, span)
        after = decode_cursor(cursor, tuple[Instant, int, int]) if cursor else (beyond, 0, 0)
        complete = await completeness(request, connection)
        rows = await connection.fetch(
            _statement("list", caller.tenant), first, beyond, *filters, *after, limit + 1
        )
    events = list(map(_event, rows))
    unbooked, more = page(
        UnbookedEvent, events, limit, lambda row: (row["recorded_at"], row["partition"], row["offset"])
    )
    return UnbookedList(unbooked=unbooked, next_cursor=more, **vars(complete))


@router.get("/v1/unbooked/faults", responses=answers("faults"))
async def get_faults(
    request: Request,
    caller: Anyone,
    span: SpanParameters,
    outcome: Outcomes = None,
    key: KeyId = None,
    source: Source = None,
    reason: ReasonText = None,
    resolved: Resolved = None,
) -> UnbookedCounts:
    """The same, counted: by key, and by key and fault, which is a reason without its figures. The most
    without remedy first; the newest 20,000 rows, and `counted_from` says where they begin."""
    filters = _filters(outcome, key, source, reason, resolved)
    async with database_of(request).reading(caller.tenant) as connection:
        within = await read_within(connection, caller.tenant, span)
        complete = await completeness(request, connection)
        rows = await connection.fetch(
            _statement("faults", caller.tenant), *within, *filters, COUNTED_MAX, GROUPS_MAX
        )
    return UnbookedCounts(
        faults=[_fault(row) for row in rows if not row["whole"]],
        keys=[KeyFaults(**row) for row in rows if row["whole"]],
        counted_from=rows[0]["counted_from"] if rows else None,
        **vars(complete),
    )


def _statement(name: str, tenant: str) -> str:
    """Over the tenant's rows; over nobody's, the newest of them, for an operator who acts for no tenant."""
    if tenant:
        return SQL[name]
    return SQL[name].replace("FROM unbooked u", f"FROM unattributable($1, $2, {COUNTED_MAX}) u")


def _filters(
    outcome: list[UnbookedOutcome] | None,
    key: str | None,
    source: str | None,
    reason: str | None,
    resolved: bool | None,
) -> tuple[Any, ...]:
    """As the statements take them. Raises HttpRefusal (422) for what Postgres cannot hold."""
    for name, text in (("key", key), ("source", source), ("reason", reason)):
        if "\0" in (text or ""):
            raise invalid(name, "holds a NUL character")
    return outcome or DEFAULT_OUTCOMES, key, source, reason, resolved


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    at = row["instead_at"]
    instead = at and {"source": row["instead_source"], "id": row["instead_id"], "at": at}
    advice = remedy(row["outcome"], row["reason"], row["id"], resolved=at is not None, amended=row["amended"])
    return {**row, "booked_instead": instead, "what_to_do": advice}


def _fault(row: Mapping[str, Any]) -> Fault:
    resolved = row["outcome"] != "duplicate" and not row["unresolved"]
    return Fault(**row, what_to_do=remedy(row["outcome"], row["reason"], row["id"], resolved=resolved))
