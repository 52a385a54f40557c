"""`GET /v1/audit`: who changed what and when, as the database wrote it down with the change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Admin
from services.api.audit.models import AuditedChange, AuditLog
from services.api.database.transactions import database_of
from services.api.events.within import Limit, asked_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from spendmeter.contracts.events import Instant
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.visibility import EVERYBODY

SQL = load_sql(Path(__file__).with_name("audit.sql"))
router = APIRouter(tags=["audit"], route_class=Negotiated)


@router.get("/v1/audit", responses=answers("audit"))
async def get_audit(
    request: Request,
    caller: Admin,
    span: SpanParameters,
    by: Annotated[
        Text | None, Query(max_length=200, description="as the answers say it: `key k7f3a0c91d2e4`")
    ] = None,
    object: Annotated[
        Text | None, Query(max_length=64, description="budgets, api_keys, channels, alert_rules, ...")
    ] = None,
    object_id: Annotated[Text | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: str = "",
) -> AuditLog:
    """Every change of what people set, newest first: by whom, of what, and what it was and became. By default
    those of the last 400 days. An operator who names no tenant reads what was changed for everybody."""
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        first, beyond = await asked_within(connection, caller.tenant, span)
        after = decode_cursor(cursor, tuple[Instant, int]) if cursor else (beyond, 0)
        rows = await connection.fetch(SQL["list"], first, beyond, *after, by, object, object_id, limit + 1)
    shown = [_change(row) for row in rows]
    changes, more = page(AuditedChange, shown, limit, lambda row: (row["at"], row["number"]))
    return AuditLog(changes=changes, next_cursor=more)


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    was, became = row["was"] or {}, row["became"] or {}
    fields = sorted(was.keys() | became.keys())
    differences = [{"field": each, "was": was.get(each), "became": became.get(each)} for each in fields]
    return {**row, "differences": differences}
