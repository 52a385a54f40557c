"""Proposing a price file: read, checked with all that stands, reviewed, priced, and then recorded."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.catalog.access import CatalogAccess, ProposingAccess
from services.api.catalog.impact import impact_of
from services.api.catalog.proposals import NOT_NEW, PROPOSALS_PATH, Proposal
from services.api.catalog.review import review_of
from services.api.catalog.seen_names import seen_names
from services.api.catalog.sql import SQL
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import CatalogEntry, encode_catalog
from spendmeter.pricing.catalog import load_own
from spendmeter.pricing.catalog.corrections import shipped_corrections
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.proposals.additions import NothingNew, additions
from spendmeter.pricing.proposals.check import check
from spendmeter.pricing.proposals.corrections import ShippedRules, corrected
from spendmeter.pricing.proposals.not_taken import fields_not_taken
from spendmeter.pricing.proposals.refusals import replacing_helps, with_entries_named
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.finding import LintFinding
from spendmeter.pricing.visibility import EVERYBODY

router = APIRouter(tags=["catalog"], route_class=Negotiated)


@dataclass(frozen=True, kw_only=True)
class ProposedFile:
    """A price file as it was sent; without a word in it, it withdraws alone."""

    name: str
    content: bytes
    note: str
    withdraw: Sequence[str] = ()
    replace: bool = False
    entries: Sequence[CatalogEntry] | None = None
    """What the content says, where it was read already (in a process of its own)."""
    not_taken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@router.post(
    PROPOSALS_PATH,
    status_code=201,
    responses=answers("proposal", status=201, also=NOT_NEW),
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def propose(
    request: Request,
    response: Response,
    access: ProposingAccess,
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
    content = await request.body()
    file = ProposedFile(name=name, content=content, note=note, withdraw=withdraw or (), replace=replace)
    if not dry_run:
        return await record_proposal(access, response, file)
    response.status_code = 200
    _, proposal = await _reviewed(access, file)
    return proposal


class NothingToPropose(HttpRefusal):
    """Nothing of the file is new."""


async def record_proposal(access: CatalogAccess, response: Response, file: ProposedFile) -> Proposal:
    """Review a price file and record it as a proposal, to which the response's Location points. Raises
    HttpRefusal (422)."""
    proposal = await store_proposal(access, file)
    response.headers["Location"] = f"{PROPOSALS_PATH}/{proposal.id}"
    return proposal


async def store_proposal(access: CatalogAccess, file: ProposedFile) -> Proposal:
    """The same, for whoever answers no request."""
    added, proposal = await _reviewed(access, file)
    entries, review = encode_catalog(added).decode(), proposal.review.model_dump(mode="json")
    async with access.writing() as connection:
        proposal.id = await connection.fetchval(
            SQL["propose"], access.as_tenant, file.name, file.note, entries, review, access.key
        )
    return proposal


async def _reviewed(access: CatalogAccess, file: ProposedFile) -> tuple[list[CatalogEntry], Proposal]:
    """What the file adds, and the proposal as it would be recorded."""
    snapshot, as_tenant, now = await access.books.newest(), access.as_tenant, datetime.now(UTC)
    units = snapshot.book.parents.keys()
    stated: list[CatalogEntry] = []
    places: dict[str, str] = {}
    not_taken: dict[str, tuple[str, ...]] = dict(file.not_taken)

    said_of_corrections: list[LintFinding] = []

    def read() -> list[CatalogEntry]:
        if file.entries is not None:
            found = list(file.entries)
        else:
            found = read_prices(
                file.name, file.content, recorded_at=now, units=units, places=places, not_taken=not_taken
            )
        if as_tenant != EVERYBODY:
            return found
        laid, findings = corrected(file, found, snapshot, shipped_rules(), now)
        said_of_corrections.extend(findings)
        return laid

    try:
        if file.content or file.entries or not file.withdraw:
            stated = await asyncio.to_thread(read)
        added = additions(
            snapshot,
            stated,
            as_tenant=as_tenant,
            withdraw=file.withdraw,
            replaces=file.replace,
            source=file.name,
            now=now,
        )
        change = await asyncio.to_thread(check, snapshot, added, as_tenant)
        review, _ = await review_of(access.database, change, now)
        review.add_findings(await seen_names(access, change, now))
        review.impact, review.effect = await impact_of(access, change, now)
    except NothingNew as error:
        raise NothingToPropose(422, "Refused", str(error)) from None
    except CatalogError as error:
        helps = not file.replace and replacing_helps(error, snapshot, stated)
        raise refused(error, snapshot, as_tenant, places, "replace" if helps else "") from None
    review.not_taken = fields_not_taken(not_taken)
    review.findings += [msgspec.to_builtins(each) for each in said_of_corrections]
    review.findings_total += len(said_of_corrections)
    key = access.key
    return added, Proposal(
        id=None, name=file.name, note=file.note, proposed_by=key, proposed_at=now, state="open", review=review
    )


@cache
def shipped_rules() -> ShippedRules:
    """The corrections of this release, read once."""
    return ShippedRules(rules=shipped_corrections(), own=load_own())


def refused(
    error: CatalogError,
    snapshot: CatalogSnapshot,
    as_tenant: str,
    places: Mapping[str, str] | None = None,
    needs: str = "",
) -> HttpRefusal:
    """422, with what every entry says that the error names; `needs`: the parameter that would help."""
    named = with_entries_named(error, snapshot, as_tenant, places or {})
    return HttpRefusal(422, "Refused", str(named), **({"needs": needs} if needs else {}))


async def open_proposal(access: CatalogAccess, name: str) -> Proposal | None:
    """The newest that is open under a file's name."""
    async with access.reading() as connection:
        row = await connection.fetchrow(SQL["open_proposal"], name)
    return Proposal(**row) if row else None
