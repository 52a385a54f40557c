"""Budgets: what may be spent in a period, by whom, and how much of it is gone. Alerts watches them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.accounting.routes import completeness
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import Complete, DecimalString, RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.money import EXACT, ZERO, divided, parse_decimal
from spendmeter.contracts.periods import Period
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.sql import load_sql

BUDGETS_MAX = 500
THRESHOLDS_MAX = 10
_NOTHING: Mapping[str, Decimal] = {"effective": ZERO, "provisional": ZERO}

SQL = load_sql(Path(__file__).with_name("budgets.sql"))
router = APIRouter(tags=["budgets"], route_class=Negotiated)


def _positive(text: str) -> str:
    if parse_decimal(text) <= 0:
        raise ValueError("must be more than 0")
    return text


def _in_known_dimensions(scope: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(scope) - set(DIMENSIONS))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(DIMENSIONS)}")
    return {dimension: as_booked(dimension, value) for dimension, value in scope.items()}


Name = Annotated[Text, Field(min_length=1, max_length=200)]
Scope = Annotated[dict[str, Annotated[Text, Field(max_length=256)]], AfterValidator(_in_known_dimensions)]
PositiveAmount = Annotated[str, AfterValidator(_positive), Field(examples=["5000"])]
Percent = Annotated[Decimal, Field(gt=0, le=1000, max_digits=8, decimal_places=4)]
Percents = Annotated[list[Percent], Field(min_length=1, max_length=THRESHOLDS_MAX)]


class NewBudget(RequestBody):
    """A budget as asked for; `amount` is a decimal string in the tenant's currency. Where that is about to
    change, `next_amount` is what the budget is in the new one, or "close"."""

    name: Name
    filter: Scope = Field({}, description="dimension to value; empty = everything that the tenant spends")
    amount: PositiveAmount
    period: Period = "month"
    thresholds_percent: Percents = Field(default=[Decimal(80), Decimal(100)])
    next_amount: PositiveAmount | Literal["close"] | None = None


class BudgetChange(RequestBody):
    """What is to change; the rest stays."""

    name: Name | None = None
    filter: Scope | None = None
    amount: PositiveAmount | None = None
    period: Period | None = None
    thresholds_percent: Percents | None = None


class NextAmount(BaseModel):
    """What a change of the tenant's currency makes of a budget; an amount of null = it is closed then."""

    effective_from: datetime
    amount: DecimalString | None
    currency: str | None


class Budget(BaseModel):
    """A budget and its open period: `spent` so far, in effective cost; `remaining` may be below 0."""

    id: UUID
    name: str
    filter: dict[str, str]
    amount: DecimalString
    currency: str
    period: Period
    thresholds_percent: list[DecimalString]
    revision: int
    created_at: datetime
    updated_at: datetime
    period_start: datetime
    period_end: datetime
    spent: DecimalString
    of_which_provisional: DecimalString
    remaining: DecimalString
    percent: DecimalString
    next: NextAmount | None = None


class Budgets(Complete):
    """All of the tenant's."""

    TABLES: ClassVar = ("budgets",)

    budgets: list[Budget]
    tz: str


@router.get("/v1/budgets", responses=answers("budgets"))
async def list_budgets(request: Request, caller: Reader) -> Budgets:
    """Every budget in force, with what its open period has come to."""
    async with database_of(request).reading(caller.tenant) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        complete = await completeness(request, connection)
        budgets = await _read(connection, tenant, None)
    return Budgets(budgets=budgets, tz=str(tenant.zone), **vars(complete))


@router.get("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def get_budget(request: Request, caller: Reader, id: UUID) -> Budget:
    """One budget."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _one(connection, caller.tenant, id)


@router.post("/v1/budgets", status_code=201, responses=answers("budget", status=201))
async def create_budget(request: Request, response: Response, caller: Writer, asked: NewBudget) -> Budget:
    """Set a budget. Alerts watches it within two seconds."""
    async with database_of(request).writing(caller.tenant) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        tenant = await read_tenant(connection, caller.tenant)
        if await connection.fetchval(SQL["count"]) >= BUDGETS_MAX:
            raise HttpRefusal(
                409, "Too many", f"a tenant has at most {BUDGETS_MAX} budgets: delete one first"
            )
        created = await connection.fetchval(
            SQL["create"], caller.tenant, asked.name, asked.filter,
            Decimal(asked.amount), tenant.currency, asked.period, asked.thresholds_percent,
            *_later(tenant, asked.next_amount),
        )  # fmt: skip
    response.headers["Location"] = f"/v1/budgets/{created}"
    # In a transaction of its own: a period that takes too long to sum must not undo what was set.
    async with database_of(request).reading(caller.tenant) as connection:
        return await _one(connection, caller.tenant, created)


@router.patch("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def change_budget(request: Request, caller: Writer, id: UUID, asked: BudgetChange) -> Budget:
    """Change a budget; its thresholds are armed again, unless only its name changed."""
    async with database_of(request).writing(caller.tenant) as connection:
        changed = await connection.fetchval(
            SQL["change"], id, asked.name, asked.filter,
            None if asked.amount is None else Decimal(asked.amount), asked.period, asked.thresholds_percent,
        )  # fmt: skip
        if changed is None:
            raise not_found(f"there is no budget {id}")
    async with database_of(request).reading(caller.tenant) as connection:
        return await _one(connection, caller.tenant, id)


@router.delete("/v1/budgets/{id}", status_code=204, responses=answers("", missing="no such budget"))
async def delete_budget(request: Request, caller: Writer, id: UUID) -> None:
    """Take a budget out of force; its incidents stay."""
    async with database_of(request).writing(caller.tenant) as connection:
        if await connection.fetchval(SQL["delete"], id) is None:
            raise not_found(f"there is no budget {id}")


def _later(tenant: Tenant, said: str | None) -> tuple[datetime | None, Decimal | None, str | None]:
    """From when a new budget is what, in a currency that begins later. Raises HttpRefusal (422)."""
    now = datetime.now(UTC)
    change = tenant.timeline.next_currency(now)
    if change is None:
        if said is not None:
            raise invalid("next_amount", "is for a currency that is about to change, and none is")
        return None, None, None
    at, currency = change
    if said is None:
        raise invalid(
            "next_amount",
            f"is needed, because the tenant's currency becomes {currency} on {at.isoformat()}: the budget's "
            'amount in it, or "close"',
        )
    return (at, None, None) if said == "close" else (at, Decimal(said), currency)


async def _one(connection: TenantConnection, tenant: str, id: UUID) -> Budget:
    found = await _read(connection, await read_tenant(connection, tenant), id)
    if not found:
        raise not_found(f"there is no budget {id}")
    return found[0]


async def _read(connection: TenantConnection, tenant: Tenant, id: UUID | None) -> list[Budget]:
    rows = await connection.fetch(SQL["list"], id)
    now = datetime.now(UTC)
    bounds: dict[str, tuple[datetime, datetime]] = {
        period: tenant.timeline.bounds(period, now) for period in {row["period"] for row in rows}
    }
    spent: dict[UUID, Any] = {}
    for period, within in bounds.items():
        of = [row for row in rows if row["period"] == period]
        scopes = [row["currency"] for row in of], [row["filter"] for row in of]
        found = await connection.fetch(SQL["spent"], *within, *scopes)
        spent |= {of[each["place"] - 1]["id"]: each for each in found}
    return [_budget(row, tenant, bounds[row["period"]], spent.get(row["id"], _NOTHING)) for row in rows]


def _budget(
    row: Any, tenant: Tenant, bounds: tuple[datetime, datetime], sums: Mapping[str, Decimal]
) -> Budget:
    spent = sums["effective"]
    columns = dict(row)
    later = {name.removeprefix("next_"): columns.pop(name) for name in ("next_amount", "next_currency")}
    since = columns.pop("next_from")
    return Budget(
        **columns,
        next=NextAmount(effective_from=since, **later) if since else None,
        period_start=bounds[0].astimezone(tenant.zone),
        period_end=bounds[1].astimezone(tenant.zone),
        spent=spent,
        of_which_provisional=sums["provisional"],
        remaining=EXACT.subtract(row["amount"], spent),
        percent=divided(EXACT.multiply(spent, Decimal(100)), row["amount"]),
    )
