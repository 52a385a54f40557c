"""A budget's forecast, and how good its forecasts were."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from services.api.access.auth import Reader
from services.api.budgets.forecasts import BudgetForecast, KeptForecast, accuracy_of, forecast_of
from services.api.budgets.routes import FORECASTS as SQL
from services.api.budgets.routes import SQL as BUDGETS
from services.api.budgets.spent import read_spent
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import Onlooker, TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import not_found
from services.api.http.representation import Negotiated

PERIODS_MAX = 12
"""Of so many periods, the last ones, it is told how good forecasts were."""

router = APIRouter(tags=["budgets"], route_class=Negotiated)


@router.get("/v1/budgets/{id}/forecast", responses=answers("budget_forecast", missing="no such budget"))
async def get_forecast(request: Request, caller: Reader, id: UUID) -> BudgetForecast:
    """What the budget's open period will have come to, an hour old at most, and how good the
    forecasts of periods that are over were."""
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        budget = await connection.fetchrow(BUDGETS["list"], id)
        if budget is None:
            raise not_found(f"there is no budget {id}")
        latest = await connection.fetchrow(SQL["latest"], id)
        kept = await _kept(request, connection, caller.onlooker, tenant, budget)
    current = latest is not None and latest["revision"] == budget["revision"]
    return BudgetForecast(
        id=id,
        name=budget["name"],
        amount=budget["amount"],
        currency=budget["currency"],
        forecast_thresholds_percent=budget["forecast_thresholds_percent"],
        forecast=forecast_of(latest) if current else None,
        accuracy=accuracy_of(kept),
    )


async def _kept(
    request: Request, connection: TenantConnection, onlooker: Onlooker, tenant: Tenant, budget: Any
) -> list[KeptForecast]:
    rows = await connection.fetch(
        SQL["kept"], budget["id"], budget["filter"], budget["currency"], PERIODS_MAX
    )
    scopes, closed, now = (
        [(budget["currency"], budget["filter"])],
        request.app.state.closed,
        datetime.now(UTC),
    )
    actual: dict[tuple[datetime, datetime], Decimal] = {}
    for bounds in {(row["period_start"], row["period_end"]) for row in rows}:
        [spent] = await read_spent(connection, tenant, bounds, scopes, closed, onlooker, now)
        actual[bounds] = spent.effective
    return [
        KeptForecast(
            row["period_start"],
            row["p10"],
            row["p50"],
            row["p90"],
            actual[row["period_start"], row["period_end"]],
        )
        for row in rows
    ]
