"""Budgets whose tenant's currency or calendar changes: what becomes of them, and that they follow it in the
transaction that records the new terms."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from services.api.budgets.models import PositiveAmount
from services.api.budgets.routes import SQL as BUDGETS
from services.api.database.transactions import TenantConnection
from services.api.http.models import DecimalString, RequestBody
from services.api.http.problems import HttpRefusal, invalid
from spendmeter.book.budget_periods import BudgetPeriod, BudgetPeriodKind
from spendmeter.contracts.money import plain
from spendmeter.contracts.periods import PERIODS
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.proposals.terms_change import TermsChange, describe_budget

SQL = load_sql(Path(__file__).with_name("currency.sql"))


class NextBudget(RequestBody):
    """What a budget is in the tenant's new currency."""

    amount: PositiveAmount


BudgetDecisions = dict[UUID, NextBudget | Literal["close"]]
"""By budget: its amount in the new currency, or that it ends with the old one."""


class BudgetUnderTerms(BaseModel):
    """A budget in force. `needs_amount`: approval needs its amount in the new currency, or "close".
    `becomes`: what was decided, once it was."""

    id: UUID
    name: str
    amount: DecimalString
    currency: str
    period: BudgetPeriodKind
    says: str
    needs_amount: bool
    becomes: str = ""


async def budgets_under(
    connection: TenantConnection, change: TermsChange, now: datetime
) -> list[BudgetUnderTerms]:
    """The budgets of the tenant for which the transaction acts, and what becomes of them."""
    return [
        BudgetUnderTerms(
            **{name: row[name] for name in ("id", "name", "amount", "currency", "period")},
            says=_says(change, row, now),
            needs_amount=change.currency_at is not None and row["currency"] != change.currency,
        )
        for row in await connection.fetch(SQL["budgets"])
    ]


def _says(change: TermsChange, row: Any, now: datetime) -> str:
    amount, currency = plain(row["amount"]), row["currency"]
    if row["period"] in PERIODS:
        return describe_budget(change, row["period"], amount, currency, now)
    stated = BudgetPeriod(row["period"], row["starts_on"], row["ends_on"], row["last_hours"]).says()
    if change.currency_at is None:
        return f"{amount} {currency} {stated}: stays as it is"
    return f"{amount} {currency} {stated}: it is cut where the currency changes"


async def settle_budgets(
    connection: TenantConnection,
    changes: Sequence[TermsChange],
    decisions: BudgetDecisions,
    *,
    version: int,
    by: str,
    now: datetime,
) -> dict[str, list[BudgetUnderTerms]]:
    """Make every budget follow its tenant's new terms, in the transaction that recorded them; by tenant, what
    became of each.

    Raises HttpRefusal: 409 with the budgets that need a decision, 422 for a decision on none of them.
    """
    settled: dict[str, list[BudgetUnderTerms]] = {}
    for change in changes:
        async with _as_tenant(connection, change.tenant):
            await connection.execute(BUDGETS["hold"], change.tenant)
            settled[change.tenant] = budgets = await budgets_under(connection, change, now)
            for budget in budgets:
                decision = decisions.get(budget.id)
                if change.taken_back:
                    await connection.execute(SQL["take_back"], budget.id, version, by)
                elif budget.needs_amount and decision is not None:
                    budget.becomes = await _follow(connection, change, budget.id, decision, version, by, now)
    _check_decided(settled, decisions)
    return settled


def _check_decided(settled: Mapping[str, Sequence[BudgetUnderTerms]], decisions: BudgetDecisions) -> None:
    needed = {each.id: (tenant, each) for tenant, of in settled.items() for each in of if each.needs_amount}
    if undecided := [needed[key] for key in needed if key not in decisions]:
        raise HttpRefusal(
            409,
            "Budgets need an answer",
            "the currency changes: say for each of these budgets its amount in the new one, or close",
            needs="budgets",
            budgets=[budget.model_dump(mode="json") | {"tenant": tenant} for tenant, budget in undecided],
        )
    if unknown := sorted(map(str, decisions.keys() - needed.keys())):
        raise invalid("budgets", f"{unknown[0]} is no budget that needs an answer")


async def _follow(
    connection: TenantConnection,
    change: TermsChange,
    budget: UUID,
    decision: NextBudget | Literal["close"],
    version: int,
    by: str,
    now: datetime,
) -> str:
    """What becomes of it."""
    assert change.currency_at is not None, "it needs an amount"
    amount = None if decision == "close" else Decimal(decision.amount)
    values: list[Any] = [budget, amount, None if amount is None else change.currency, version, by]
    if change.currency_at <= now:
        await connection.execute(SQL["follow_at_once"], *values)
    else:
        await connection.execute(SQL["follow"], *values, change.currency_at)
    return "closed" if amount is None else f"{plain(amount)} {change.currency}"


@asynccontextmanager
async def _as_tenant(connection: TenantConnection, tenant: str) -> AsyncIterator[None]:
    """Rows of a tenant, in a transaction that acts for another, or for everybody."""
    before = await connection.fetchval(SQL["current_tenant"])
    await connection.execute(SQL["act_for"], tenant)
    yield
    await connection.execute(SQL["act_for"], before)
