"""Budgets: what may be spent in a period, by whom, and how much of it is gone. Alerts watches them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.api.access.auth import Reader, Writer
from services.api.accounting.completeness import completeness
from services.api.budgets.forecasts import ForecastAnswer, forecast_of
from services.api.budgets.models import (
    BudgetAnswer,
    BudgetChange,
    Budgets,
    HardTerms,
    NewBudget,
    NextAmount,
    RemovedBudget,
)
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found, too_many
from services.api.http.representation import Negotiated
from spendmeter.book.reading import spent_in
from spendmeter.contracts.money import EXACT, ZERO, divided
from spendmeter.platform.sql import load_sql

BUDGETS_MAX = 500
_NOTHING: Mapping[str, Decimal] = {"effective": ZERO, "provisional": ZERO}

SQL = load_sql(Path(__file__).with_name("budgets.sql"))
FORECASTS = load_sql(Path(__file__).with_name("forecasts.sql"))
router = APIRouter(tags=["budgets"], route_class=Negotiated)


@router.get("/v1/budgets", responses=answers("budgets"))
async def list_budgets(request: Request, caller: Reader) -> Budgets:
    """Every budget in force, with what its open period has come to."""
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        complete = await completeness(request, connection)
        budgets = await _read(connection, tenant, None)
    return Budgets(budgets=budgets, tz=str(tenant.zone), **vars(complete))


@router.get("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def get_budget(request: Request, caller: Reader, id: UUID) -> BudgetAnswer:
    """One budget."""
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        return await _read_one(connection, caller.tenant, id)


@router.post("/v1/budgets", status_code=201, responses=answers("budget", status=201))
async def create_budget(
    request: Request, response: Response, caller: Writer, body: NewBudget
) -> BudgetAnswer:
    """Set a budget. Alerts watches it within two seconds."""
    async with database_of(request).writing(caller.tenant) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        await _check_filter(connection, body.filter)
        tenant = await read_tenant(connection, caller.tenant)
        if await connection.fetchval(SQL["count"]) >= BUDGETS_MAX:
            raise too_many("budgets", BUDGETS_MAX)
        values = body.name, body.filter, Decimal(body.amount), tenant.currency, body.period
        later = _after_currency_change(tenant, body.next_amount)
        created = await connection.fetchval(
            SQL["create"], caller.tenant, *values, body.thresholds_percent, *later,
            body.forecast_thresholds_percent,
        )  # fmt: skip
        await _harden(connection, created, body.hard)
    response.headers["Location"] = f"/v1/budgets/{created}"
    # In a transaction of its own: a period that takes too long to sum must not undo what was set.
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        return await _read_one(connection, caller.tenant, created)


@router.patch("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def change_budget(request: Request, caller: Writer, id: UUID, body: BudgetChange) -> BudgetAnswer:
    """Change a budget; its thresholds are armed again, unless only its name changed."""
    async with database_of(request).writing(caller.tenant) as connection:
        await _check_filter(connection, body.filter or {})
        amount = None if body.amount is None else Decimal(body.amount)
        values = body.name, body.filter, amount, body.period, body.thresholds_percent
        changed = await connection.fetchval(SQL["change"], id, *values, body.forecast_thresholds_percent)
        if changed is None:
            raise not_found(f"there is no budget {id}")
        await _harden(connection, id, body.hard)
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        return await _read_one(connection, caller.tenant, id)


@router.delete("/v1/budgets/{id}", responses=answers("removed_budget", missing="no such budget"))
async def remove_budget(request: Request, caller: Writer, id: UUID) -> RemovedBudget:
    """Take a budget out of force, once: asked again, the answer is the same. Its incidents stay; alerts
    resolves those that are open within two seconds."""
    async with database_of(request).writing(caller.tenant) as connection:
        await connection.execute(SQL["remove"], id)
        removed = await connection.fetchrow(SQL["removed"], id)
    if removed is None:
        raise not_found(f"there is no budget {id}")
    return RemovedBudget(**removed)


async def _harden(connection: TenantConnection, id: UUID, terms: HardTerms | Literal[False] | None) -> None:
    if terms is not None:
        said = terms or HardTerms()
        hard = isinstance(terms, HardTerms)
        await connection.execute(SQL["harden"], id, hard, said.unreserved, said.when_away, said.key_share)


def _after_currency_change(
    tenant: Tenant, next_amount: str | None
) -> tuple[datetime | None, Decimal | None, str | None]:
    """From when a new budget is what, in a currency that begins later. Raises HttpRefusal (422)."""
    change = tenant.timeline.next_currency(datetime.now(UTC))
    if change is None:
        if next_amount is not None:
            raise invalid("next_amount", "is for a currency that is about to change, and none is")
        return None, None, None
    at, currency = change
    if next_amount is None:
        raise invalid(
            "next_amount",
            f"is needed, because the tenant's currency becomes {currency} on {at.isoformat()}: the budget's "
            'amount in it, or "close"',
        )
    return (at, None, None) if next_amount == "close" else (at, Decimal(next_amount), currency)


async def _read_one(connection: TenantConnection, tenant: str, id: UUID) -> BudgetAnswer:
    found = await _read(connection, await read_tenant(connection, tenant), id)
    if not found:
        raise not_found(f"there is no budget {id}")
    return found[0]


async def _read(connection: TenantConnection, tenant: Tenant, id: UUID | None) -> list[BudgetAnswer]:
    rows = await connection.fetch(SQL["list"], id)
    now = datetime.now(UTC)
    bounds: dict[str, tuple[datetime, datetime]] = {
        period: tenant.timeline.bounds(period, now) for period in {row["period"] for row in rows}
    }
    spent: dict[UUID, Any] = {}
    for period, within in bounds.items():
        of = [row for row in rows if row["period"] == period]
        scopes = [row["currency"] for row in of], [row["filter"] for row in of]
        read = await spent_in(connection, tenant.tenant, within, tenant.timeline)
        found = await connection.fetch(SQL["spent"], *read, *scopes)
        spent |= {of[each["place"] - 1]["id"]: each for each in found}
    forecasts = {
        (each["budget_id"], each["revision"]): forecast_of(each)
        for each in await connection.fetch(FORECASTS["latest"], id)
    }
    return [
        _budget(
            row,
            tenant,
            bounds[row["period"]],
            spent.get(row["id"], _NOTHING),
            forecasts.get((row["id"], row["revision"])),
        )
        for row in rows
    ]


def _budget(
    row: Any,
    tenant: Tenant,
    bounds: tuple[datetime, datetime],
    sums: Mapping[str, Decimal],
    forecast: ForecastAnswer | None,
) -> BudgetAnswer:
    spent = sums["effective"]
    columns = dict(row)
    later = {name.removeprefix("next_"): columns.pop(name) for name in ("next_amount", "next_currency")}
    since = columns.pop("next_from")
    return BudgetAnswer(
        **columns,
        next=NextAmount(effective_from=since, **later) if since else None,
        period_start=bounds[0].astimezone(tenant.zone),
        period_end=bounds[1].astimezone(tenant.zone),
        spent=spent,
        of_which_provisional=sums["provisional"],
        remaining=EXACT.subtract(row["amount"], spent),
        forecast=forecast,
        percent=divided(EXACT.multiply(spent, Decimal(100)), row["amount"]),
    )


async def _check_filter(connection: TenantConnection, scope: Mapping[str, str]) -> None:
    """Raises HttpRefusal (422) for a dimension that the tenant does not have."""
    known = await known_dimensions(connection, scope)
    if unknown := sorted(scope.keys() - set(known)):
        raise invalid("filter", f"{unknown[0][:64]!r} is not one of {', '.join(known)}")
