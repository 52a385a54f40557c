"""The inbox: what was booked without a price or at a bound, what it lacks, and the way from there to a
price."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.api.catalog.access import AnyAccess, CatalogAccess, ProposingAccess
from services.api.catalog.inbox_items import (
    InboxItem,
    UnknownUnit,
    Unpriced,
    by_name,
    inbox_item,
    newest_first,
    unknown_units,
)
from services.api.catalog.proposals import NOT_NEW, NoteText, Proposal
from services.api.catalog.propose import ProposedFile, open_proposal, record_proposal
from services.api.catalog.remarks import RemarkItem, remark_items
from services.api.catalog.sql import SQL
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found
from services.api.http.representation import Negotiated
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot

INBOX_DAYS = 90
UNITS_MAX = 200
"""Unknown units that are listed: senders choose their names."""
REMARKS_MAX = 200
"""Providers, tiers and regions under remarks that are listed: senders choose their names too."""

router = APIRouter(tags=["catalog"], route_class=Negotiated)
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Inbox(BaseModel):
    """What lacks something first, each the newest first; `version`: the publication that they were held
    against. `units`: names of units that nobody knows, with the nearest that somebody does. `remarks`: what
    was priced without regard to how it was served, since ever, the 200 of most money."""

    version: int
    items: list[InboxItem]
    units: list[UnknownUnit]
    remarks: list[RemarkItem]


class DraftRequest(RequestBody):
    """Of which item the ready proposal is to be made."""

    provider: Annotated[Text, Field(max_length=256)]
    sku: Annotated[Text, Field(max_length=256)]
    note: NoteText = ""


class RateRequest(RequestBody):
    """One `base` is worth `rate` `quote`, a plain decimal, from an instant until the next rate of the
    pair."""

    base: CurrencyCode
    quote: CurrencyCode
    rate: Annotated[Text, Field(max_length=40)]
    effective_from: AwareDatetime | None = Field(
        None, description="where left out: the day of the earliest usage that waits for the rate"
    )
    source: Annotated[Text, Field(max_length=256, description="where it is written")] = ""
    note: NoteText = ""


@router.get("/v1/catalog/inbox", responses=answers("inbox"))
async def get_inbox(access: AnyAccess, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Inbox:
    """What is used and was not priced, or not as it was served: of the tenant; of all tenants for an operator
    who names none."""
    found, snapshot = await _unpriced(access)
    async with access.reading() as connection:
        remarked = await connection.fetch(SQL["remarked"], REMARKS_MAX)
    names = newest_first(found)[:limit]
    items = await asyncio.to_thread(_items, dict(names), snapshot, access.as_tenant)
    return Inbox(
        version=snapshot.version,
        items=items,
        units=unknown_units(found)[:UNITS_MAX],
        remarks=await asyncio.to_thread(remark_items, remarked, snapshot.book),
    )


@router.post(
    "/v1/catalog/inbox",
    status_code=201,
    responses=answers("proposal", status=201, also=NOT_NEW, missing="no such item"),
)
async def accept(response: Response, access: ProposingAccess, body: DraftRequest) -> Proposal:
    """Make an item's ready proposal a proposal, if it is not one already; it is approved like any other."""
    name = (body.provider.lower(), body.sku.lower())
    found, snapshot = await _unpriced(access)
    if name not in found:
        raise not_found(f"{body.provider}/{body.sku} is not in the inbox")
    [item] = await asyncio.to_thread(_items, {name: found[name]}, snapshot, access.as_tenant)
    draft = item.proposal
    if draft is None:
        raise invalid("sku", _why_no_draft(item))
    if proposal := await open_proposal(access, draft.name):
        response.status_code = 200
        return proposal
    file = ProposedFile(name=draft.name, content=draft.text.encode(), note=body.note, replace=draft.replace)
    return await record_proposal(access, response, file)


@router.post(
    "/v1/catalog/inbox/rates", status_code=201, responses=answers("proposal", status=201, also=NOT_NEW)
)
async def state_rate(response: Response, access: ProposingAccess, body: RateRequest) -> Proposal:
    """Propose an exchange rate that usage waits for; it is approved like any other. Rates are everybody's."""
    since = body.effective_from or await _needed_since(access, body)
    rate = {"base": body.base, "quote": body.quote, "rate": body.rate, "effective_from": since}
    source = body.source or f"stated by {access.key}"
    content = msgspec.json.encode({"source": source, "layer": "organisation", "fx": [rate]})  # JSON is YAML
    name = f"{body.base}-{body.quote}-{since.astimezone(UTC):%Y-%m-%d}.yaml"
    return await record_proposal(access, response, ProposedFile(name=name, content=content, note=body.note))


async def _needed_since(access: CatalogAccess, body: RateRequest) -> datetime:
    """The day of the earliest usage that waits for a rate."""
    found, _ = await _unpriced(access)
    times: list[datetime] = [
        row["earliest"]
        for rows in found.values()
        for row, lacks in rows
        if any((lack.base, lack.quote) == (body.base, body.quote) for lack in lacks)
    ]
    if not times:
        raise invalid(
            "effective_from",
            f"nothing waits for a rate {body.base} → {body.quote}: say from when it holds",
        )
    return min(times).replace(hour=0, minute=0, second=0, microsecond=0)


def _why_no_draft(item: InboxItem) -> str:
    if item.kept:
        return f"nothing is missing any more: {item.kept}"
    if any(lack.kind in ("model", "price", "conditions") for lack in item.lacks):
        return "nothing near it has a price to begin with: propose a file"
    return "; ".join(f"{lack.says}: {lack.advice}" for lack in item.lacks)


async def _unpriced(access: CatalogAccess) -> tuple[Unpriced, CatalogSnapshot]:
    """What was booked without a price in the last days, held against the catalog of now."""
    snapshot = await access.books.newest()
    async with access.reading() as connection:
        rows = await connection.fetch(SQL["unknown"], datetime.now(UTC) - timedelta(days=INBOX_DAYS))
    return await asyncio.to_thread(by_name, rows, snapshot.book), snapshot


def _items(found: Unpriced, snapshot: CatalogSnapshot, as_tenant: str) -> list[InboxItem]:
    now = datetime.now(UTC)
    return [inbox_item(name, rows, snapshot.book, as_tenant, now) for name, rows in found.items()]
