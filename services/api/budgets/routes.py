"""Budgets: what may be spent in a period, by whom, and how much of it is gone. Alerts watches them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.api.access.auth import Governing, TeamReader
from services.api.accounting.completeness import completeness_for
from services.api.budgets.forecasts import ForecastAnswer, forecast_of
from services.api.budgets.models import (
    AllocatedAmount,
    BudgetAnswer,
    BudgetChange,
    Budgets,
    HardTerms,
    NewBudget,
    NextAmount,
    RemovedBudget,
)
from services.api.budgets.spent import ScopeSpent, read_spent
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import Onlooker, TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found, too_many
from services.api.http.representation import Negotiated
from services.api.spend.closed import ClosedSums
from spendmeter.book.budget_periods import BudgetPeriod, PeriodBounds, period_trouble, rolling_refusal
from spendmeter.contracts.budget_templates import OF_RUNS, OF_USERS, template_trouble
from spendmeter.contracts.budget_tree import BudgetTree, TreeBudget
from spendmeter.contracts.money import EXACT, divided
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.sql import load_sql

BUDGETS_MAX = 500
FORECAST_PERCENTS = [Decimal(100)]
"""Of whoever states none."""

SQL = load_sql(Path(__file__).with_name("budgets.sql"))
FORECASTS = load_sql(Path(__file__).with_name("forecasts.sql"))
router = APIRouter(tags=["budgets"], route_class=Negotiated)


@router.get("/v1/budgets", responses=answers("budgets"))
async def list_budgets(request: Request, caller: TeamReader) -> Budgets:
    """Every budget in force, with what its open period has come to. Who sees one team alone is shown those of
    that team or of a part of it, without a forecast."""
    async with database_of(request).seen_by(caller.onlooker, spend=True) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        complete = await completeness_for(request, connection, caller.onlooker)
        budgets = await _read(connection, tenant, None, caller.onlooker, request.app.state.closed)
    return Budgets(budgets=budgets, tz=str(tenant.zone), **vars(complete))


@router.get("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def get_budget(request: Request, caller: TeamReader, id: UUID) -> BudgetAnswer:
    """One budget."""
    async with database_of(request).seen_by(caller.onlooker, spend=True) as connection:
        return await _read_one(request, connection, caller.onlooker, id)


@router.post("/v1/budgets", status_code=201, responses=answers("budget", status=201))
async def create_budget(
    request: Request, response: Response, caller: Governing, body: NewBudget
) -> BudgetAnswer:
    """Set a budget. Alerts watches it within two seconds."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        period = BudgetPeriod(body.period, body.starts_on, body.ends_on, body.last_hours)
        forecast = body.forecast_thresholds_percent
        if forecast is None:
            forecast = [] if body.period == "rolling" or body.each else FORECAST_PERCENTS
        await _check(
            connection,
            body.filter,
            period,
            each=body.each,
            hard=body.hard is not None,
            forecast=bool(forecast),
        )
        tenant = await read_tenant(connection, caller.tenant)
        if await connection.fetchval(SQL["count"]) >= BUDGETS_MAX:
            raise too_many("budgets", BUDGETS_MAX)
        values = body.name, body.filter, Decimal(body.amount), tenant.currency, body.period
        later = _after_currency_change(tenant, body.next_amount)
        created = await connection.fetchval(
            SQL["create"], caller.tenant, *values, body.thresholds_percent, *later,
            forecast, *period[1:], body.each,
        )  # fmt: skip
        await _harden(connection, created, body.hard)
    response.headers["Location"] = f"/v1/budgets/{created}"
    # In a transaction of its own: a period that takes too long to sum must not undo what was set.
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        return await _read_one(request, connection, caller.onlooker, created)


@router.patch("/v1/budgets/{id}", responses=answers("budget", missing="no such budget"))
async def change_budget(request: Request, caller: Governing, id: UUID, body: BudgetChange) -> BudgetAnswer:
    """Change a budget; its thresholds are armed again, unless only its name changed."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        stated = await connection.fetchrow(SQL["stated"], id)
        if stated is None:
            raise not_found(f"there is no budget {id}")
        period = _period_after(stated, body)
        forecast = body.forecast_thresholds_percent
        if forecast is None:
            forecast = stated["forecast_thresholds_percent"]
        scope = stated["filter"] if body.filter is None else body.filter
        hard = stated["hard"] if body.hard is None else isinstance(body.hard, HardTerms)
        await _check(connection, scope, period, each=stated["each"], hard=hard, forecast=bool(forecast))
        amount = None if body.amount is None else Decimal(body.amount)
        values = body.name, body.filter, amount, period.kind, body.thresholds_percent
        if not hard:  # first: a budget that rolls is never hard, not for an instant
            await _harden(connection, id, body.hard)
        await connection.fetchval(SQL["change"], id, *values, body.forecast_thresholds_percent, *period[1:])
        if hard:
            await _harden(connection, id, body.hard)
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        return await _read_one(request, connection, caller.onlooker, id)


@router.delete("/v1/budgets/{id}", responses=answers("removed_budget", missing="no such budget"))
async def remove_budget(request: Request, caller: Governing, id: UUID) -> RemovedBudget:
    """Take a budget out of force, once: asked again, the answer is the same. Its incidents stay; alerts
    resolves those that are open within two seconds."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
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


async def _read_one(
    request: Request, connection: TenantConnection, onlooker: Onlooker, id: UUID
) -> BudgetAnswer:
    tenant = await read_tenant(connection, onlooker.tenant)
    found = await _read(connection, tenant, id, onlooker, request.app.state.closed)
    if not found:
        raise not_found(f"there is no budget {id}")
    return found[0]


async def _read(
    connection: TenantConnection, tenant: Tenant, id: UUID | None, onlooker: Onlooker, closed: ClosedSums
) -> list[BudgetAnswer]:
    rows = await connection.fetch(SQL["list"], id)
    now = datetime.now(UTC)
    bounds = {row["id"]: _period_of(row).shown(now, _calendar_of(row, tenant)) for row in rows}
    spent: dict[UUID, ScopeSpent] = {}
    for within in dict.fromkeys(bounds.values()):
        of = [row for row in rows if bounds[row["id"]] == within and not row["each"]]
        if of:
            scopes = [(row["currency"], row["filter"]) for row in of]
            found = await read_spent(connection, tenant, within, scopes, closed, onlooker, now)
            spent |= zip((row["id"] for row in of), found, strict=True)
    latest = [] if onlooker.team else await connection.fetch(FORECASTS["latest"], id)
    forecasts = {(each["budget_id"], each["revision"]): forecast_of(each) for each in latest}
    tree = BudgetTree(_node(row) for row in await connection.fetch(SQL["tree"]))
    return [
        _budget(
            row,
            tenant,
            bounds[row["id"]],
            spent.get(row["id"]),
            forecasts.get((row["id"], row["revision"])),
            tree,
        )
        for row in rows
    ]


def _budget(
    row: Any,
    tenant: Tenant,
    bounds: PeriodBounds,
    sums: ScopeSpent | None,
    forecast: ForecastAnswer | None,
    tree: BudgetTree,
) -> BudgetAnswer:
    columns = dict(row)
    later = {name.removeprefix("next_"): columns.pop(name) for name in ("next_amount", "next_currency")}
    since, node = columns.pop("next_from"), _node(row)
    spent = None if sums is None else sums.effective
    allocated = tree.allocation(node)
    return BudgetAnswer(
        **columns,
        next=NextAmount(effective_from=since, **later) if since else None,
        period_start=bounds[0].astimezone(tenant.zone),
        period_end=bounds[1].astimezone(tenant.zone),
        spent=spent,
        of_which_provisional=None if sums is None else sums.provisional,
        remaining=None if spent is None else EXACT.subtract(row["amount"], spent),
        forecast=forecast,
        percent=None if spent is None else divided(EXACT.multiply(spent, Decimal(100)), row["amount"]),
        parents=[parent.id for parent in tree.parents(node)],
        allocated=allocated and AllocatedAmount(**allocated._asdict()),
    )


def _node(row: Any) -> TreeBudget:
    return TreeBudget(
        row["id"], row["filter"], row["currency"], tuple(_period_of(row)), row["amount"], row["each"]
    )


def _period_of(row: Any) -> BudgetPeriod:
    return BudgetPeriod(row["period"], row["starts_on"], row["ends_on"], row["last_hours"])


def _calendar_of(row: Any, tenant: Tenant) -> Timeline:
    """Of users a month is that of UTC."""
    return Timeline([(None, Terms(currency=row["currency"]))]) if row["each"] == OF_USERS else tenant.timeline


def _period_after(stated: Any, body: BudgetChange) -> BudgetPeriod:
    """The period that a change leaves: what it does not name stays, as long as the kind does."""
    asked = BudgetPeriod(body.period or stated["period"], body.starts_on, body.ends_on, body.last_hours)
    if asked.kind != stated["period"]:
        return asked
    kept = _period_of(stated)
    return BudgetPeriod(
        asked.kind,
        asked.starts_on or kept.starts_on,
        asked.ends_on or kept.ends_on,
        asked.last_hours or kept.last_hours,
    )


async def _check(
    connection: TenantConnection,
    scope: Mapping[str, str],
    period: BudgetPeriod,
    *,
    each: str,
    hard: bool,
    forecast: bool,
) -> None:
    """Raises HttpRefusal (422) for a dimension that the tenant does not have, and for what cannot be
    together."""
    named = {*scope, *filter(None, [each])} - {OF_RUNS, OF_USERS}
    known = await known_dimensions(connection, named)
    if unknown := sorted(scope.keys() - set(known)):
        raise invalid("filter", f"{unknown[0][:64]!r} is not one of {', '.join(known)}")
    trouble = template_trouble(each, scope, period.kind, hard=hard, forecast=forecast, known=known)
    trouble = trouble or period_trouble(period)
    if period.kind == "rolling":
        trouble = trouble or rolling_refusal(hard=hard, forecast=forecast)
    if trouble:
        raise invalid(*trouble)
