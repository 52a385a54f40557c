"""The inbox: what was booked without a price or at a bound, what it lacks, and the way from there to a
price."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.api.access.auth import Anyone
from services.api.catalog.book import EVERYBODY, Standing, catalog_of
from services.api.catalog.proposals import (
    PROPOSALS_PATH,
    Administrator,
    Note,
    Proposal,
    make_proposal,
    open_proposal,
)
from services.api.catalog.publisher import SQL
from services.api.catalog.waiting import InboxItem, UnknownUnit, item, newest_first, unknown_units, waiting
from services.api.database.transactions import database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found
from services.api.http.representation import Negotiated

INBOX_DAYS = 90
UNITS_MAX = 200
"""Unknown units that are listed: senders choose their names."""

router = APIRouter(tags=["catalog"], route_class=Negotiated)
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Inbox(BaseModel):
    """What lacks something first, each the newest first; `version`: the publication that they were held
    against. `units`: names of units that nobody knows, with the nearest that somebody does."""

    version: int
    items: list[InboxItem]
    units: list[UnknownUnit]


class Accepted(RequestBody):
    """Of which item the ready proposal is to be made."""

    provider: Annotated[Text, Field(max_length=256)]
    sku: Annotated[Text, Field(max_length=256)]
    note: Note = ""


class StatedRate(RequestBody):
    """One `base` is worth `rate` `quote`, a plain decimal, from an instant until the next rate of the
    pair."""

    base: CurrencyCode
    quote: CurrencyCode
    rate: Annotated[Text, Field(max_length=40)]
    effective_from: AwareDatetime | None = Field(
        None, description="where left out: the day of the earliest usage that waits for the rate"
    )
    source: Annotated[Text, Field(max_length=256, description="where it is written")] = ""
    note: Note = ""


@router.get("/v1/catalog/inbox", responses=answers("inbox"))
async def get_inbox(
    request: Request, caller: Anyone, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Inbox:
    """What is used and was not priced: of the tenant; of all tenants for an operator who names none."""
    return await _inbox(request, caller.tenant or EVERYBODY, limit)


@router.post(
    "/v1/catalog/inbox", status_code=201, responses=answers("proposal", status=201, missing="no such item")
)
async def accept(request: Request, response: Response, caller: Administrator, asked: Accepted) -> Proposal:
    """Make an item's ready proposal a proposal, if it is not one already; it is approved like any other."""
    wanted = (asked.provider.lower(), asked.sku.lower())
    inbox = await _inbox(request, caller.tenant or EVERYBODY, only=wanted)
    if not inbox.items:
        raise not_found(f"{asked.provider}/{asked.sku} is not in the inbox")
    ready = inbox.items[0].proposal
    if ready is None:
        raise invalid("sku", _nothing_ready(inbox.items[0]))
    proposal = await open_proposal(request, caller, ready.name)
    if proposal is not None:
        response.status_code = 200
        return proposal
    return await _proposed(
        request,
        response,
        caller,
        ready.text.encode(),
        name=ready.name,
        note=asked.note,
        replace=ready.replace,
    )


@router.post("/v1/catalog/inbox/rates", status_code=201, responses=answers("proposal", status=201))
async def state_rate(
    request: Request, response: Response, caller: Administrator, asked: StatedRate
) -> Proposal:
    """Propose an exchange rate that usage waits for; it is approved like any other. Rates are everybody's."""
    since = asked.effective_from or await _needed_since(request, caller.tenant or EVERYBODY, asked)
    rate = {"base": asked.base, "quote": asked.quote, "rate": asked.rate, "effective_from": since}
    source = asked.source or f"stated by key {caller.key_id}"
    file = msgspec.json.encode({"source": source, "layer": "organisation", "fx": [rate]})  # JSON is YAML
    name = f"{asked.base}-{asked.quote}-{since.astimezone(UTC):%Y-%m-%d}.yaml"
    return await _proposed(request, response, caller, file, name=name, note=asked.note)


async def _needed_since(request: Request, acting: str, asked: StatedRate) -> datetime:
    """The day of the earliest usage that waits for a rate."""
    found, _ = await _waiting(request, acting)
    times: list[datetime] = [
        each.row["earliest"]
        for rows in found.values()
        for each in rows
        if any((lack.base, lack.quote) == (asked.base, asked.quote) for lack in each.lacks)
    ]
    if not times:
        raise invalid(
            "effective_from", f"nothing waits for a rate {asked.base} → {asked.quote}: say from when it holds"
        )
    return min(times).replace(hour=0, minute=0, second=0, microsecond=0)


async def _proposed(
    request: Request, response: Response, caller: Administrator, file: bytes, **said: Any
) -> Proposal:
    proposal = await make_proposal(request, caller, file, **said)
    response.headers["Location"] = f"{PROPOSALS_PATH}/{proposal.id}"
    return proposal


def _nothing_ready(item: InboxItem) -> str:
    if item.kept:
        return f"nothing is missing any more: {item.kept}"
    if any(lack.kind in ("model", "price", "conditions") for lack in item.lacks):
        return "nothing near it has a price to begin with: propose a file"
    return "; ".join(f"{lack.says}: {lack.advice}" for lack in item.lacks)


async def _inbox(request: Request, acting: str, limit: int = 1, only: tuple[str, str] | None = None) -> Inbox:
    now = datetime.now(UTC)
    found, standing = await _waiting(request, acting)
    if only:
        found = {name: rows for name, rows in found.items() if name == only}

    def listed() -> list[InboxItem]:
        return [item(name, rows, standing, acting, now) for name, rows in newest_first(found)[:limit]]

    items = await asyncio.to_thread(listed)
    return Inbox(version=standing.version, items=items, units=unknown_units(found)[:UNITS_MAX])


async def _waiting(request: Request, acting: str) -> tuple[Any, Standing]:
    standing = await catalog_of(request).standing()
    async with database_of(request).reading(acting) as connection:
        rows = await connection.fetch(SQL["unknown"], datetime.now(UTC) - timedelta(days=INBOX_DAYS))
    return await asyncio.to_thread(waiting, rows, standing), standing
