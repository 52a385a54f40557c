"""Terms of tenants in a proposal: what they mean, said before it is approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from services.api.budgets.currency import BudgetUnderTerms, budgets_under
from services.api.catalog.sql import SQL
from services.api.database.transactions import Database
from spendmeter.contracts.catalog import TenantTerms, Withdrawal
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.proposals.terms_change import TermsChange, terms_change
from spendmeter.pricing.proposals.terms_wording import describe_change


class TermsChangeAnswer(BaseModel):
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

    change: TermsChange
    answer: TermsChangeAnswer


async def review_terms(database: Database, change: CheckedChange, now: datetime) -> list[TermsReview]:
    """The changes of currency and calendar among what is added, by tenant. Raises CatalogError for one that
    may not be, with the rule and the instants that are allowed."""
    found = []
    for tenant in sorted(_tenants(change)):
        before, after = (book.agreement(tenant).timeline for book in (change.snapshot.book, change.book))
        async with database.reading(tenant) as connection:
            booked = await connection.fetchval(SQL["booked"])
            terms = terms_change(tenant, before, after, booked=booked, now=now)
            if terms is not None:
                answer = _answer(terms, await budgets_under(connection, terms, now))
                found.append(TermsReview(change=terms, answer=answer))
    return found


def _tenants(change: CheckedChange) -> set[str]:
    """Whose terms are stated or withdrawn."""
    withdrawals = [each for each in change.added if isinstance(each, Withdrawal)]
    gone = [change.snapshot.entries[key] for each in withdrawals for key in each.entries]
    return {each.tenant for each in (*change.added, *gone) if isinstance(each, TenantTerms)}


def _answer(change: TermsChange, budgets: Sequence[BudgetUnderTerms]) -> TermsChangeAnswer:
    return TermsChangeAnswer(
        tenant=change.tenant,
        effective_from=change.at,
        currency=change.new.currency,
        currency_before=change.old.currency,
        tz=change.new.zone.key,
        tz_before=change.old.zone.key,
        says=list(describe_change(change)),
        budgets=list(budgets),
    )
