"""Proposals: a change of the catalog as somebody asked for it, reviewed, then approved or rejected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.api.access.auth import Anyone, Caller
from services.api.catalog.book import (
    EVERYBODY,
    Standing,
    additions,
    catalog_of,
    hidden_from,
    located,
    signed,
    takes_the_place,
    visible,
)
from services.api.catalog.impact import Effect, Impact, effect, impact
from services.api.catalog.left_out import LeftOut, left_out
from services.api.catalog.publisher import SQL
from services.api.catalog.terms import Answers as TermsAnswers
from services.api.catalog.terms import TermsChange, TermsReview, review_terms, settle_budgets
from services.api.database.transactions import Database, TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import CatalogEntry, encode_catalog
from spendmeter.platform.catalog_store import Outdated, record
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.renamed import renamed
from spendmeter.pricing.review import changes, lint, told

SHOWN_MAX = 1_000
"""Changes, and findings, that a review holds; it says how many there are."""
PROPOSALS_PATH = "/v1/catalog/proposals"
OPEN_SEARCHED = 1_000
ATTEMPTS_MAX = 5
"""Approvals that lost the race to another publication and are checked again."""

router = APIRouter(tags=["catalog"], route_class=Negotiated)
State = Literal["open", "approved", "rejected"]
Note = Annotated[Text, Field(max_length=1000)]
_decode_entries = msgspec.json.Decoder(list[CatalogEntry]).decode


def _administrator(caller: Anyone) -> Caller:
    if "admin" not in caller.scopes:
        raise forbidden(f"key {caller.key_id} lacks the scope admin, so it changes no price")
    return caller


Administrator = Annotated[Caller, Depends(_administrator)]
"""A key that may change its tenant's prices; an operator's that names no tenant, everybody's."""


class Review(BaseModel):
    """What a proposal changes in publication `base`: the diff, what looks wrong, and the money.

    A finding of severity "confirm" must be confirmed by whoever approves.
    """

    base: int
    entries: int = Field(description="that it adds, a withdrawal included")
    changes_total: int
    changes: list[dict[str, Any]]
    names: list[str] = Field([], description="which names mean another model from then on")
    terms: list[TermsChange] = Field([], description="changes of tenants' currencies and calendars")
    findings_total: int
    findings: list[dict[str, Any]] = Field(description="those to confirm first")
    not_taken: list[LeftOut] = Field(
        [], description="fields of another vendor's file that are not taken over"
    )
    effect: Effect | None = Field(None, description="what approving does to usage, and to what is booked")
    impact: Impact | None = Field(
        None, description="as if the last days were priced again, which they are not"
    )


class ListedProposal(BaseModel):
    """Who proposed what, and what became of it; `id` is null where nothing was recorded (a dry run)."""

    id: int | None
    name: str
    note: str
    proposed_by: str
    proposed_at: AwareDatetime
    state: State
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    reason: str = ""
    version: int | None = Field(None, description="the publication that brought it into force")


class Proposal(ListedProposal):
    """With its review, as of proposing, and of approval for one that was approved."""

    review: Review


class Proposals(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    proposals: list[ListedProposal]
    next_cursor: int | None


class Approval(RequestBody):
    """`confirm`: findings of severity "confirm" have been looked at and are meant. `budgets`: what becomes of
    each budget of a tenant whose currency changes, as `review.terms` lists them."""

    confirm: bool = False
    reason: Note = ""
    budgets: TermsAnswers = Field(
        {}, description='where a tenant\'s currency changes: by budget, its new amount or "close"'
    )


class Rejection(RequestBody):
    """Why not."""

    reason: Annotated[Note, Field(min_length=1)]


@router.post(
    PROPOSALS_PATH,
    status_code=201,
    responses=answers("proposal", status=201),
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def propose(
    request: Request,
    response: Response,
    caller: Administrator,
    name: Annotated[Text, Query(min_length=1, max_length=200, description="the file's name, as prices.toml")],
    note: Annotated[Text, Query(max_length=1000, description="why")] = "",
    withdraw: Annotated[list[str] | None, Query(description="ids of entries that no longer hold")] = None,
    replace: Annotated[
        bool, Query(description="withdraw whatever else is in force about the models that the file states")
    ] = False,
    dry_run: Annotated[bool, Query(description="review only: nothing is recorded")] = False,
) -> Proposal:
    """Propose a price file: the body is the file as it is, at most 10 MB. It is read, compiled into a price
    book with all that stands, compared and priced; anything bad refuses all of it, with line and reason."""
    proposal = await make_proposal(
        request, caller, await request.body(), name=name, note=note, withdraw=withdraw or (), replace=replace,
        dry_run=dry_run,
    )  # fmt: skip
    if proposal.id is None:
        response.status_code = 200
    else:
        response.headers["Location"] = f"{PROPOSALS_PATH}/{proposal.id}"
    return proposal


async def make_proposal(
    request: Request,
    caller: Caller,
    raw: bytes,
    *,
    name: str,
    note: str,
    withdraw: Sequence[str] = (),
    replace: bool = False,
    dry_run: bool = False,
) -> Proposal:
    """Review a price file and record it as a proposal; empty, it withdraws alone. Raises HttpRefusal, 422."""
    database, now, acting = database_of(request), datetime.now(UTC), caller.tenant or EVERYBODY
    standing = await catalog_of(request).standing()
    known = standing.book.parents.keys()
    places: dict[str, str] = {}
    not_taken: dict[str, tuple[str, ...]] = {}
    stated: list[CatalogEntry] = []
    try:
        if raw or not withdraw:
            stated = await asyncio.to_thread(
                read_prices, name, raw, recorded_at=now, units=known, places=places, not_taken=not_taken
            )
        added = additions(
            standing, stated, acting=acting, withdraw=withdraw, replace=replace, source=name, now=now
        )
        review, book = await _reviewed(standing, added, acting)
        review.terms = [each.shown for each in await review_terms(database, standing, book, added, now)]
        review.impact, review.effect = await impact(database, acting, standing, book, added, now)
    except CatalogError as error:
        needs = "replace" if not replace and takes_the_place(error, standing, stated) else ""
        raise _refused(located(error, standing, acting, places), needs) from None
    review.not_taken = left_out(not_taken)
    recorded = None
    if not dry_run:
        async with database.writing(acting) as connection:
            recorded = await connection.fetchval(
                SQL["propose"], acting, name, note, encode_catalog(added).decode(),
                review.model_dump(mode="json"), _key(caller),
            )  # fmt: skip
    return Proposal(
        id=recorded,
        name=name,
        note=note,
        proposed_by=_key(caller),
        proposed_at=now,
        state="open",
        review=review,
    )


async def open_proposal(request: Request, caller: Caller, name: str) -> Proposal | None:
    """The newest that is open under a file's name."""
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        rows = await connection.fetch(SQL["proposals"], "open", 2**31 - 1, OPEN_SEARCHED)
        found = next((row["id"] for row in rows if row["name"] == name), None)
        return None if found is None else Proposal(**await _one(connection, found))


async def _reviewed(
    standing: Standing, added: Sequence[CatalogEntry], acting: str
) -> tuple[Review, PriceBook]:
    """In a thread: compiled first, because only what is a price book is worth comparing."""

    def look() -> tuple[Review, PriceBook]:
        all_after = standing.with_more(added)
        book = PriceBook(all_after, standing.version + 1)
        before, after = list(standing.entries.values()), all_after
        if acting != EVERYBODY:
            hidden = hidden_from(acting, standing.book)
            before, after = visible(before, hidden), visible(after, hidden)
        changed = changes(before, after)
        found = sorted(lint(before, after), key=lambda finding: finding.severity != "confirm")
        if wrong := [finding.message for finding in found if finding.severity == "error"]:
            raise CatalogError("; ".join(wrong))
        review = Review(
            base=standing.version,
            entries=len(added),
            changes_total=len(changed),
            changes=[told(change) for change in changed[:SHOWN_MAX]],
            names=[each.says for each in renamed(before, after)[:SHOWN_MAX]],
            findings_total=len(found),
            findings=[msgspec.to_builtins(finding) for finding in found[:SHOWN_MAX]],
        )
        return review, book

    return await asyncio.to_thread(look)


@router.get(PROPOSALS_PATH, responses=answers("proposals"))
async def list_proposals(
    request: Request,
    caller: Anyone,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=1, description="`next_cursor` of the page before")] = 2**31 - 1,
) -> Proposals:
    """What was proposed, newest first: of the caller's tenant; of everybody's catalog for an operator who
    names no tenant."""
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        rows = await connection.fetch(SQL["proposals"], state or "", cursor, limit + 1)
    listed = [ListedProposal(**row) for row in rows[:limit]]
    return Proposals(proposals=listed, next_cursor=listed[-1].id if len(rows) > limit else None)


@router.get(f"{PROPOSALS_PATH}/{{id}}", responses=answers("proposal", missing="no such proposal"))
async def get_proposal(request: Request, caller: Anyone, id: int) -> Proposal:
    """One proposal, with its review."""
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        return Proposal(**await _one(connection, id))


@router.post(f"{PROPOSALS_PATH}/{{id}}/approve", responses=answers("proposal", missing="no such proposal"))
async def approve(request: Request, caller: Administrator, id: int, asked: Approval) -> Proposal:
    """Bring a proposal into force, checked against what stands now; within 2 s every rating worker prices
    usage with it. What is booked keeps its price: `review.effect` says how much that is."""
    database, acting = database_of(request), caller.tenant or EVERYBODY
    for _ in range(ATTEMPTS_MAX):
        standing, now = await catalog_of(request).standing(), datetime.now(UTC)
        async with database.reading(acting) as connection:
            row = await _one(connection, id)
        _must_be_open(row)
        try:
            entries = _decode_entries(row["entries"])
            added = additions(standing, entries, acting=acting, source=row["name"], now=now)
            added = signed(added, by=row["proposed_by"], note=row["note"], now=now)
            review, book = await _reviewed(standing, added, acting)
            terms = await review_terms(database, standing, book, added, now)
        except CatalogError as error:
            raise _refused(located(error, standing, acting, {})) from None
        proposed = Proposal(**row).review
        review.impact, review.not_taken = proposed.impact, proposed.not_taken  # of the day it was proposed
        _must_be_confirmed(review, asked)
        review.effect = await effect(database, acting, standing, book, added, now)
        try:
            return await _approved(database, caller, standing.version, added, review, row, asked, terms)
        except Outdated:
            continue
        finally:
            catalog_of(request).recorded.set()
    raise HttpRefusal(409, "Busy", "other publications came first each time: try again")


async def _approved(
    database: Database,
    caller: Caller,
    base: int,
    added: Sequence[CatalogEntry],
    review: Review,
    row: Any,
    asked: Approval,
    terms: Sequence[TermsReview],
) -> Proposal:
    acting, key = caller.tenant or EVERYBODY, _key(caller)
    # A publication's note is read by every tenant: whose price changed and why is none of others' business.
    note = f"proposal {row['id']}"
    async with database.writing(acting) as connection:
        version = await record(connection, added, by=key, note=note, base=base)
        assert version is not None, "additions refuses what adds nothing"
        now = datetime.now(UTC)
        await settle_budgets(connection, terms, asked.budgets, version=version, by=key, now=now)
        review.terms = [each.shown for each in terms]
        said = review.model_dump(mode="json")
        await _decide(connection, row["id"], "approved", key, asked.reason, version, said)
        return Proposal(**await _one(connection, row["id"]))


@router.post(f"{PROPOSALS_PATH}/{{id}}/reject", responses=answers("proposal", missing="no such proposal"))
async def reject(request: Request, caller: Administrator, id: int, asked: Rejection) -> Proposal:
    """Turn a proposal down; it stays in the list with the reason."""
    async with database_of(request).writing(caller.tenant or EVERYBODY) as connection:
        _must_be_open(await _one(connection, id))
        await _decide(connection, id, "rejected", _key(caller), asked.reason, None, None)
        return Proposal(**await _one(connection, id))


async def _one(connection: TenantConnection, id: int) -> Any:
    row = await connection.fetchrow(SQL["proposal"], id) if 0 < id < 2**31 else None
    if row is None:
        raise not_found(f"there is no proposal {id}")
    return row


async def _decide(connection: TenantConnection, id: int, *decision: Any) -> None:
    if await connection.fetchval(SQL["decide"], id, *decision) is None:
        _must_be_open(await _one(connection, id))


def _must_be_open(row: Any) -> None:
    if row["state"] != "open":
        raise HttpRefusal(409, "Decided", f"proposal {row['id']} is {row['state']}, by {row['decided_by']}")


def _must_be_confirmed(review: Review, asked: Approval) -> None:
    open_ones = [finding for finding in review.findings if finding["severity"] == "confirm"]
    if open_ones and not asked.confirm:
        raise HttpRefusal(
            409, "Not confirmed", 'findings of severity "confirm" need confirm: true', findings=open_ones,
            needs="confirm",
        )  # fmt: skip


def _key(caller: Caller) -> str:
    return f"key {caller.key_id}"


def _refused(error: CatalogError, needs: str = "") -> HttpRefusal:
    return HttpRefusal(422, "Refused", str(error), **({"needs": needs} if needs else {}))
