"""The review of a proposal, for whoever decides: what it changes, what looks wrong, and the money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, Field

from services.api.catalog.impact import Effect, Impact
from services.api.catalog.terms_review import TermsChangeAnswer
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.proposals.not_taken import fields_not_taken
from spendmeter.pricing.review import told

SHOWN_MAX = 1_000
"""Changes, and findings, that a review holds; it says how many there are."""


class FieldNotTakenAnswer(BaseModel):
    """A field of a price file that is not taken over: it may be a price that the catalog cannot express."""

    field: str
    models: int
    of: list[str] = Field(description="the first of them by name")


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
    not_taken: list[FieldNotTakenAnswer] = Field(
        [], description="fields of another vendor's file that are not taken over"
    )
    effect: Effect | None = Field(None, description="what approving does to usage, and to what is booked")
    impact: Impact | None = Field(
        None, description="as if the last days were priced again, which they are not"
    )


def review_of(change: CheckedChange) -> Review:
    """What the change itself says; terms, money and what a file leaves out are added by those who know."""
    return Review(
        base=change.snapshot.version,
        entries=len(change.added),
        changes_total=len(change.changes),
        changes=[told(each) for each in change.changes[:SHOWN_MAX]],
        names=[each.says for each in change.renamed[:SHOWN_MAX]],
        findings_total=len(change.findings),
        findings=[msgspec.to_builtins(finding) for finding in change.findings[:SHOWN_MAX]],
    )


def not_taken_answers(by_model: Mapping[str, Sequence[str]]) -> list[FieldNotTakenAnswer]:
    """What a file says that was not taken over, from the fields of each model."""
    return [FieldNotTakenAnswer(**msgspec.structs.asdict(each)) for each in fields_not_taken(by_model)]
