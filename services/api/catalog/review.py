"""The review of a proposal, for whoever decides: what it changes, what looks wrong, and the money."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, Field

from services.api.budgets.currency import BudgetUnderTerms, budgets_under
from services.api.catalog.impact import Effect, Impact
from services.api.catalog.sql import SQL
from services.api.database.transactions import Database
from spendmeter.contracts.catalog import TenantTerms, Withdrawal
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.proposals.not_taken import FieldNotTaken
from spendmeter.pricing.proposals.terms_change import TermsChange, describe_change, terms_change
from spendmeter.pricing.review.changes import with_words
from spendmeter.pricing.review.finding import LintFinding

SHOWN_MAX = 1_000
"""Changes, and findings, that a review holds; it says how many there are."""


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


class Review(BaseModel):
    """What a proposal changes in publication `base`: the diff, what looks wrong, and the money.

    A finding of severity "confirm" must be confirmed by whoever approves.
    """

    base: int
    entries: int = Field(description="that it adds, a withdrawal included")
    changes_total: int
    changes: list[dict[str, Any]]
    names: list[str] = Field([], description="which names mean another model from then on")
    terms: list[TermsChangeAnswer] = Field([], description="changes of tenants' currencies and calendars")
    findings_total: int
    findings: list[dict[str, Any]] = Field(description="those to confirm first")
    not_taken: list[FieldNotTaken] = Field(
        [], description="fields of another vendor's file that are not taken over"
    )
    effect: Effect | None = Field(None, description="what approving does to usage, and to what is booked")
    impact: Impact | None = Field(
        None, description="as if the last days were priced again, which they are not"
    )

    def add_findings(self, more: Sequence[LintFinding]) -> None:
        """Those that somebody must confirm stand first, and no bound hides them."""
        self.findings = [*(msgspec.to_builtins(each) for each in more), *self.findings]
        self.findings_total += len(more)


async def review_of(
    database: Database, change: CheckedChange, now: datetime
) -> tuple[Review, list[TermsChange]]:
    """What the change says by itself, without money and what a file leaves out; and the changes of tenants'
    terms in it. Raises CatalogError for terms that may not change so."""
    review = Review(
        base=change.snapshot.version,
        entries=len(change.added),
        changes_total=len(change.changes),
        changes=[with_words(each) for each in change.changes[:SHOWN_MAX]],
        names=[each.says for each in change.renamed[:SHOWN_MAX]],
        findings_total=len(change.findings),
        findings=[msgspec.to_builtins(finding) for finding in change.findings[:SHOWN_MAX]],
    )
    terms = []
    for tenant in sorted(_tenants_with_terms(change)):
        before, after = (book.agreement(tenant).timeline for book in (change.snapshot.book, change.book))
        async with database.reading(tenant) as connection:
            booked = await connection.fetchval(SQL["booked"])
            if found := terms_change(tenant, before, after, booked=booked, now=now):
                terms.append(found)
                review.terms.append(terms_answer(found, await budgets_under(connection, found, now)))
    return review, terms


def _tenants_with_terms(change: CheckedChange) -> set[str]:
    """Whose terms are stated or withdrawn."""
    withdrawals = [each for each in change.added if isinstance(each, Withdrawal)]
    gone = [change.snapshot.entries[key] for each in withdrawals for key in each.entries]
    return {each.tenant for each in (*change.added, *gone) if isinstance(each, TenantTerms)}


def terms_answer(change: TermsChange, budgets: Sequence[BudgetUnderTerms]) -> TermsChangeAnswer:
    """A change of terms for people."""
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
