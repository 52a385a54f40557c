"""Approving a proposal: checked again with what stands now, brought into force, and budgets with it."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Request
from pydantic import Field

from services.api.budgets.currency import BudgetDecisions, settle_budgets
from services.api.catalog.access import AdminAccess, CatalogAccess
from services.api.catalog.impact import effect_of
from services.api.catalog.proposals import (
    PROPOSALS_PATH,
    NoteText,
    Proposal,
    check_is_open,
    decide,
    read_proposal,
)
from services.api.catalog.propose import refused
from services.api.catalog.rerate_offer import RerateOffer, offers, start, waited_for
from services.api.catalog.review import Review, review_of, terms_answer
from services.api.catalog.seen_names import seen_names
from services.api.corrections.asking import author_of, corrector_of
from services.api.http.models import RequestBody
from services.api.http.openapi import answers
from services.api.http.problems import RETRY_AFTER_S, HttpRefusal
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.platform.catalog_store import Outdated, record
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.additions import additions, attributed
from spendmeter.pricing.proposals.check import CheckedChange, check
from spendmeter.pricing.proposals.terms_change import TermsChange

ATTEMPTS_MAX = 5
"""Approvals that lost the race to another publication and are checked again."""

router = APIRouter(tags=["catalog"], route_class=Negotiated)
_decode_entries = msgspec.json.Decoder(list[CatalogEntry]).decode


class Approval(RequestBody):
    """`confirm`: findings of severity "confirm" have been looked at and are meant. `budgets`: what becomes of
    each budget of a tenant whose currency changes, as `review.terms` lists them."""

    confirm: bool = False
    rerate: Literal["offer", "start"] | None = Field(
        None, description="what waited for it: an offer to re-rate it, or that begins; left out: the policy"
    )
    reason: NoteText = ""
    budgets: BudgetDecisions = Field(
        {}, description='where a tenant\'s currency changes: by budget, its new amount or "close"'
    )


class ApprovedProposal(Proposal):
    """In force, and the re-rates of what had waited for it; null: it could not be looked through in time."""

    rerates: list[RerateOffer] | None


@router.post(f"{PROPOSALS_PATH}/{{id}}/approve", responses=answers("approved", missing="no such proposal"))
async def approve_proposal(
    request: Request, access: AdminAccess, id: int, approval: Approval
) -> ApprovedProposal:
    """Bring a proposal into force, checked against what stands now; within 2 s every rating worker prices
    usage with it. What is booked keeps its price: `review.effect` says how much that is, and `rerates` what
    had waited for it."""
    if (approval.rerate or request.app.state.settings.rerate_on_approval) != "start":
        return await approve(access, id, approval)
    async with access.reading() as connection:  # before it: afterwards nothing may come between
        by = await author_of(connection, access.caller)
    done = await approve(access, id, approval)
    for offer in done.rerates or ():
        await start(corrector_of(request), offer, by)
    return done


async def approve(access: CatalogAccess, id: int, approval: Approval) -> ApprovedProposal:
    """The same, and no re-rate begins. Raises HttpRefusal."""
    await access.books.topic.looked()
    for _ in range(ATTEMPTS_MAX):
        now = datetime.now(UTC)
        async with access.reading() as connection:
            row = await read_proposal(connection, id)
        check_is_open(row)
        try:
            change, review, terms = await _review_again(access, row, now)
        except HttpRefusal:  # it changes nothing, say, for somebody has approved it meanwhile
            async with access.reading() as connection:
                check_is_open(await read_proposal(connection, id))
            raise
        _check_confirmed(review, approval)
        review.effect = await effect_of(access, change, now)
        try:
            done = await _put_in_force(access, row, change, terms, review, approval)
        except Outdated:
            continue
        finally:
            access.books.recorded.set()
        return await _with_offers(access, done, change)
    raise HttpRefusal(409, "Busy", "other publications came first each time: try again")


async def _with_offers(access: CatalogAccess, done: Proposal, change: CheckedChange) -> ApprovedProposal:
    """Looked for now that it is in force: what was booked at a bound while it was checked has waited, too."""
    assert done.version is not None, "it was published"
    as_of, waited = datetime.now(UTC), None
    with contextlib.suppress(HttpRefusal, *CONNECTION_ERRORS):  # what is in force stays so
        waited = await waited_for(access, change, as_of)
    offered = waited and offers(waited, done.version, f"proposal {done.id}: {done.name}", as_of)
    return ApprovedProposal(**dict(done), rerates=offered)


async def _review_again(
    access: CatalogAccess, row: Any, now: datetime
) -> tuple[CheckedChange, Review, list[TermsChange]]:
    """What the proposal changes in what stands now. Raises HttpRefusal (422)."""
    snapshot = await access.books.newest()
    try:
        stated = _decode_entries(row["entries"])
        added = additions(snapshot, stated, as_tenant=access.as_tenant, source=row["name"], now=now)
        added = attributed(added, by=row["proposed_by"], note=row["note"], now=now)
        change = await asyncio.to_thread(check, snapshot, added, access.as_tenant)
        review, terms = await review_of(access.database, change, now)
        review.add_findings(await seen_names(access, change, now))
    except CatalogError as error:
        raise refused(error, snapshot, access.as_tenant) from None
    proposed = Proposal(**row).review
    review.impact, review.not_taken = proposed.impact, proposed.not_taken  # of the day it was proposed
    return change, review, terms


def _check_confirmed(review: Review, approval: Approval) -> None:
    findings = [finding for finding in review.findings if finding["severity"] == "confirm"]
    if findings and not approval.confirm:
        detail = 'findings of severity "confirm" need confirm: true'
        raise HttpRefusal(409, "Not confirmed", detail, findings=findings, needs="confirm")


async def _put_in_force(
    access: CatalogAccess,
    row: Any,
    change: CheckedChange,
    terms: Sequence[TermsChange],
    review: Review,
    approval: Approval,
) -> Proposal:
    """Raises Outdated; HttpRefusal where a budget needs a decision, or the topic has that version already."""
    # A publication's note is read by every tenant: whose price changed and why is none of others' business.
    note, by = f"proposal {row['id']}", access.key
    async with access.writing() as connection:
        version = await record(connection, change.added, by=by, note=note, base=change.snapshot.version)
        assert version is not None, "additions refuses what adds nothing"
        # The snapshot is of the newest version: `record` has seen to that.
        if why := access.books.topic.refuses_after(change.snapshot.version):
            raise HttpRefusal(503, "Not now", f"nothing is approved: {why}", retry_after_s=RETRY_AFTER_S)
        now = datetime.now(UTC)
        settled = await settle_budgets(connection, terms, approval.budgets, version=version, by=by, now=now)
        review.terms = [terms_answer(each, settled[each.tenant]) for each in terms]
        dumped = review.model_dump(mode="json")
        return await decide(connection, row["id"], "approved", by, approval.reason, version, dumped)
