"""Requests for more of a budget: an agent asks and says why, somebody who may change budgets decides. Each
row says who, when and why, and is never changed once it is decided."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from services.api.access.auth import Asking, Caller, Governing, Reader
from services.api.budgets.models import PositiveAmount
from services.api.budgets.raised import BudgetAmounts, Lasts, raised
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import DecimalString, RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, not_found
from services.api.http.representation import Negotiated
from spendmeter.book.budget_periods import BudgetPeriod
from spendmeter.platform.sql import load_sql

SHOWN_MAX = 200
SQL = load_sql(Path(__file__).with_name("requests.sql"))
router = APIRouter(tags=["budgets"], route_class=Negotiated)

RequestReason = Annotated[Text, Field(min_length=1, max_length=500)]
RequestState = Literal["open", "approved", "refused"]


class NewBudgetRequest(RequestBody):
    """How much more is asked for, in the budget's currency, and why."""

    amount: PositiveAmount
    reason: RequestReason


class BudgetApproval(RequestBody):
    """`amount`: how much more it is to be, where that is not what was asked for. `lasts`: until the budget's
    period ends, or for good."""

    amount: PositiveAmount | None = None
    lasts: Lasts = "period"
    reason: RequestReason


class BudgetRefusal(RequestBody):
    """Why not."""

    reason: RequestReason


class BudgetRequest(BaseModel):
    """What was asked for, by which key and why; and what became of it. `revision`: of the budget, by it."""

    id: UUID
    budget_id: UUID
    amount: DecimalString
    currency: str
    reason: str
    requested_by: str
    requested_at: datetime
    state: RequestState
    granted: DecimalString | None
    lasts: Lasts | None
    revision: int | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class BudgetRequests(BaseModel):
    """The newest."""

    requests: list[BudgetRequest]


@router.post(
    "/v1/budgets/{id}/requests",
    status_code=201,
    responses=answers("budget_request", status=201, missing="no such budget"),
)
async def ask_for_more(
    request: Request, response: Response, caller: Asking, id: UUID, body: NewBudgetRequest
) -> BudgetRequest:
    """Ask for more of a budget, with a key that may reserve. One is open at a time for each key: asked again,
    the answer is the one that is open."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        budget = await _budget(connection, id)
        values = caller.tenant, id, Decimal(body.amount), budget["currency"], body.reason, caller.key_id
        row = await connection.fetchrow(SQL["ask"], *values)
        if row is None:
            row = await connection.fetchrow(SQL["open_of"], id, caller.key_id)
    return _said(row)


@router.get("/v1/budget-requests", responses=answers("budget_requests"))
async def list_requests(
    request: Request, caller: Reader, state: Annotated[RequestState | None, Query()] = None
) -> BudgetRequests:
    """The newest requests for more, of a state or of any."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], state or "", SHOWN_MAX)
    return BudgetRequests(requests=[_said(row) for row in rows])


@router.post(
    "/v1/budget-requests/{id}/approve", responses=answers("budget_request", missing="no such request")
)
async def approve_request(
    request: Request, caller: Governing, id: UUID, body: BudgetApproval
) -> BudgetRequest:
    """Give it: the budget is raised at once, and what is reserved of it counts on."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        asked = await _open(connection, id)
        more = asked["amount"] if body.amount is None else Decimal(body.amount)
        revision = await _raise(connection, caller, asked, more, body.lasts)
        row = await connection.fetchrow(
            SQL["decide"], id, "approved", more, body.lasts, revision, caller.key_id, body.reason
        )
    return _said(row)


@router.post(
    "/v1/budget-requests/{id}/refuse", responses=answers("budget_request", missing="no such request")
)
async def refuse_request(request: Request, caller: Governing, id: UUID, body: BudgetRefusal) -> BudgetRequest:
    """Say no, and why."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await _open(connection, id)
        row = await connection.fetchrow(
            SQL["decide"], id, "refused", None, None, None, caller.key_id, body.reason
        )
    return _said(row)


async def _raise(
    connection: TenantConnection, caller: Caller, asked: Any, more: Decimal, lasts: Lasts
) -> int:
    """The budget's revision by it. Raises HttpRefusal: 404, 409."""
    budget = await _budget(connection, asked["budget_id"])
    if budget["currency"] != asked["currency"]:
        raise _conflict(
            f"the budget is in {budget['currency']} by now, and {asked['currency']} was asked for"
        )
    tenant = await read_tenant(connection, caller.tenant)
    period = BudgetPeriod(budget["period"], budget["starts_on"], budget["ends_on"], budget["last_hours"])
    bounds = period.bounds(datetime.now(UTC), tenant.timeline)
    if bounds is None or (lasts == "period" and not period.ends):
        raise _conflict("it has no period that runs and ends: raise it for good")
    _, end = bounds
    names = "amount", "currency", "next_from", "next_amount", "next_currency"
    found = raised(BudgetAmounts(*(budget[name] for name in names)), more, lasts, end)
    if found is None:
        raise _conflict(
            "what the budget becomes is settled already, by a change of currency: raise it for good"
        )
    revision: int = await connection.fetchval(
        SQL["raise"], budget["id"], found.amount, found.next_from, found.next_amount, found.next_currency
    )
    return revision


async def _budget(connection: TenantConnection, id: UUID) -> Any:
    budget = await connection.fetchrow(SQL["budget"], id)
    if budget is None:
        raise not_found(f"there is no budget {id}")
    return budget


async def _open(connection: TenantConnection, id: UUID) -> Any:
    row = await connection.fetchrow(SQL["one"], id)
    if row is None:
        raise not_found(f"there is no request {id}")
    if row["state"] != "open":
        raise _conflict(f"it was {row['state']} by {row['decided_by']}")
    return row


def _conflict(detail: str) -> HttpRefusal:
    return HttpRefusal(409, "Conflict", detail)


def _said(row: Any) -> BudgetRequest:
    return BudgetRequest(**{name: row[name] for name in BudgetRequest.model_fields})
