"""Terms of tenants in a proposal: what they mean, said before it is approved, and budgets that follow them in
the transaction that records them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from services.api.budgets.routes import PlainAmount
from services.api.catalog.book import Standing
from services.api.catalog.terms_rules import Change, budget_says, change_of, sentences
from services.api.database.transactions import Database, TenantConnection
from services.api.http.models import PlainDecimal, RequestBody
from services.api.http.problems import HttpRefusal, invalid
from spendmeter.contracts.catalog import CatalogEntry, TenantTerms, Withdrawal
from spendmeter.contracts.money import plain
from spendmeter.contracts.periods import Period
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.price_book import PriceBook

SQL = load_sql(Path(__file__).with_name("terms.sql"))


class NewAmount(RequestBody):
    """What a budget is in the tenant's new currency."""

    amount: PlainAmount


Answers = dict[UUID, NewAmount | Literal["close"]]
"""By budget: its amount in the new currency, or that it ends with the old one."""


class BudgetUnderTerms(BaseModel):
    """A budget in force. `needs_amount`: approval needs its amount in the new currency, or "close".
    `becomes`: what was decided, once it was."""

    id: UUID
    name: str
    amount: PlainDecimal
    currency: str
    period: Period
    says: str
    needs_amount: bool
    becomes: str = ""


class TermsChange(BaseModel):
    """In what a tenant counts from an instant on (null = for all time), what that means, and its budgets."""

    tenant: str
    effective_from: datetime | None
    currency: str
    currency_before: str
    tz: str
    tz_before: str
    says: list[str]
    budgets: list[BudgetUnderTerms]


@dataclass(frozen=True, kw_only=True)
class TermsReview:
    """A change as the rules see it, and as people do."""

    change: Change
    shown: TermsChange


async def review_terms(
    database: Database, standing: Standing, book: PriceBook, added: Iterable[CatalogEntry], now: datetime
) -> list[TermsReview]:
    """The changes of currency and calendar among `added`, by tenant. Raises CatalogError for one that may not
    be, with the rule and the instants that are allowed."""
    found = []
    for tenant in sorted(_tenants(standing, added)):
        async with database.reading(tenant) as connection:
            booked = await connection.fetchval(SQL["booked"])
            rows = await connection.fetch(SQL["budgets"])
        lines = (each.agreement(tenant).timeline for each in (standing.book, book))
        change = change_of(tenant, *lines, booked=booked, now=now)
        if change is not None:
            found.append(TermsReview(change=change, shown=_shown(change, rows, now)))
    return found


def _tenants(standing: Standing, added: Iterable[CatalogEntry]) -> set[str]:
    """Whose terms are stated or withdrawn."""
    entries = list(added)
    gone = [standing.entries[key] for each in entries if isinstance(each, Withdrawal) for key in each.entries]
    return {each.tenant for each in (*entries, *gone) if isinstance(each, TenantTerms)}


def _shown(change: Change, rows: Sequence[Any], now: datetime) -> TermsChange:
    return TermsChange(
        tenant=change.tenant,
        effective_from=change.at,
        currency=change.new.currency,
        currency_before=change.old.currency,
        tz=change.new.zone.key,
        tz_before=change.old.zone.key,
        says=list(sentences(change)),
        budgets=[
            BudgetUnderTerms(
                **row,
                says=budget_says(change, row["period"], plain(row["amount"]), row["currency"], now),
                needs_amount=change.currency_at is not None and row["currency"] != change.currency,
            )
            for row in rows
        ],
    )


async def settle_budgets(
    connection: TenantConnection,
    reviews: Sequence[TermsReview],
    answers: Answers,
    *,
    version: int,
    by: str,
    now: datetime,
) -> None:
    """Make every budget follow its tenant's new terms, in the transaction that recorded them.

    Raises HttpRefusal: 409 with the budgets that need an answer, 422 for an answer to none of them.
    """
    known: set[UUID] = set()
    missing: list[dict[str, Any]] = []
    for review in reviews:
        async with _acting_for(connection, review.change.tenant):
            await connection.execute(SQL["hold_budgets"], review.change.tenant)
            rows = await connection.fetch(SQL["budgets"])
            review.shown.budgets = _shown(review.change, rows, now).budgets
            for budget in review.shown.budgets:
                answer = answers.get(budget.id)
                if review.change.taken_back:
                    await connection.execute(SQL["take_back"], budget.id, version, by)
                elif budget.needs_amount:
                    known.add(budget.id)
                    if answer is None:
                        missing.append(budget.model_dump(mode="json") | {"tenant": review.change.tenant})
                    else:
                        await _follow(connection, review.change, budget, answer, version, by, now)
    if missing:
        raise HttpRefusal(
            409,
            "Budgets need an answer",
            "the currency changes: say for each of these budgets its amount in the new one, or close",
            needs="budgets",
            budgets=missing,
        )
    if unknown := sorted(map(str, answers.keys() - known)):
        raise invalid("budgets", f"{unknown[0]} is no budget that needs an answer")


async def _follow(
    connection: TenantConnection,
    change: Change,
    budget: BudgetUnderTerms,
    answer: NewAmount | Literal["close"],
    version: int,
    by: str,
    now: datetime,
) -> None:
    assert change.currency_at is not None, "it needs an amount"
    amount = None if answer == "close" else Decimal(answer.amount)
    currency = None if amount is None else change.currency
    budget.becomes = "closed" if amount is None else f"{plain(amount)} {change.currency}"
    if change.currency_at <= now:
        await connection.execute(SQL["follow_at_once"], budget.id, amount, currency, version, by)
    else:
        await connection.execute(SQL["follow"], budget.id, amount, currency, version, by, change.currency_at)


@asynccontextmanager
async def _acting_for(connection: TenantConnection, tenant: str) -> AsyncIterator[None]:
    """Rows of a tenant, in a transaction that acts for another, or for everybody."""
    acting = await connection.fetchval(SQL["acting"])
    await connection.execute(SQL["act"], tenant)
    yield
    await connection.execute(SQL["act"], acting)
