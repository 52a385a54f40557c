"""The inbox: what is used and has no price in the catalog as it stands, what is at stake, and a price to
begin with, taken from the nearest thing that has one."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from services.api.answers import Asked, Money
from services.api.auth import Anyone
from services.api.catalog import SQL
from services.api.catalog_book import EVERYBODY, Standing, catalog_of
from services.api.catalog_proposals import (
    PROPOSALS_PATH,
    Administrator,
    Note,
    Proposal,
    make_proposal,
    open_proposal,
)
from services.api.database import database_of
from services.api.openapi import answers
from services.api.problems import invalid, not_found
from services.api.question import Text
from services.api.receipt import read_event
from spendmeter.contracts.catalog import Price
from spendmeter.contracts.events import EVENT_TYPE, UsageData, UsageEvent
from spendmeter.contracts.money import total
from spendmeter.pricing.catalog.files import Header, Rates
from spendmeter.pricing.conditions import specificity
from spendmeter.pricing.engine import rate
from spendmeter.pricing.explain import naming
from spendmeter.pricing.names import family

INBOX_DAYS = 90
NEAREST_MAX = 3
ALIKE_MIN = 0.6
"""Of difflib; names of one family need not be alike."""

NAME_MAX = 190
_NOT_IN_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON may hold as it is, and YAML reads as the end of a line or not at all."""

router = APIRouter(tags=["catalog"])
_decode_usage = msgspec.json.Decoder(dict[str, int | Decimal], float_hook=Decimal).decode


class AtStake(BaseModel):
    """What was booked at a bound, in one book currency."""

    currency: str
    provisional: Money


class Near(BaseModel):
    """Something that has a price, and why it is taken to be like this."""

    provider: str
    sku: str
    reason: str


class ReadyProposal(BaseModel):
    """A price file to begin with: POST `text` to /v1/catalog/proposals?name=`name`, as it is or edited."""

    name: str
    text: str


class InboxItem(BaseModel):
    """Usage of the last 90 days without a price. `units`: those that have none. `events` include what the
    same minutes saw of it with a price; what unpriced events cost is not known, so they are counted."""

    provider: str
    sku: str
    naming: list[str] = Field(description="what these names mean, where they are not the catalog's own")
    tenants: list[str]
    first_seen: datetime
    age_s: int
    last_seen: datetime
    events: int
    unpriced_events: int
    usage: dict[str, Money]
    units: list[str]
    reasons: list[str]
    at_stake: list[AtStake]
    nearest: list[Near]
    proposal: ReadyProposal | None = Field(description="null where nothing near has a price")


class Inbox(BaseModel):
    """The newest first; `version`: the publication that has no price for these."""

    version: int
    items: list[InboxItem]


class Accepted(Asked):
    """Of which item the ready proposal is to be made."""

    provider: Annotated[Text, Field(max_length=256)]
    sku: Annotated[Text, Field(max_length=256)]
    note: Note = ""


@router.get("/v1/catalog/inbox", responses=answers("inbox"))
async def get_inbox(
    request: Request, caller: Anyone, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Inbox:
    """What is used and not priced: of the tenant; of all tenants for an operator who names none."""
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
        raise invalid("sku", "nothing near it has a price to begin with: propose a file")
    proposal = await open_proposal(request, caller, ready.name)
    if proposal is not None:
        response.status_code = 200
        return proposal
    proposal = await make_proposal(request, caller, ready.text.encode(), name=ready.name, note=asked.note)
    response.headers["Location"] = f"{PROPOSALS_PATH}/{proposal.id}"
    return proposal


async def _inbox(request: Request, acting: str, limit: int = 1, only: tuple[str, str] | None = None) -> Inbox:
    now = datetime.now(UTC)
    standing = await catalog_of(request).standing()
    async with database_of(request).reading(acting) as connection:
        rows = await connection.fetch(SQL["unknown"], now - timedelta(days=INBOX_DAYS))
    items = await asyncio.to_thread(_items, rows, standing, acting, now, limit, only)
    return Inbox(version=standing.version, items=items)


def _items(
    rows: Iterable[Any], standing: Standing, acting: str, now: datetime, limit: int,
    only: tuple[str, str] | None,
) -> list[InboxItem]:  # fmt: skip
    found: dict[tuple[str, str], list[tuple[Any, dict[str, str]]]] = defaultdict(list)
    for row in rows:
        name = (row["provider"].lower(), row["sku"].lower())
        if only in (None, name) and (unpriced := _unpriced(row, standing)):
            found[name].append((row, unpriced))
    newest = sorted(
        found.items(), key=lambda item: min(row["first_seen"] for row, _ in item[1]), reverse=True
    )
    return [_item(*name, seen, standing, acting, now) for name, seen in newest[:limit]]


def _unpriced(row: Any, standing: Standing) -> dict[str, str]:
    """The units that the book does not price now, and why: of one of each, because a sum may be more than any
    event holds; and of some events as they were."""
    usage = dict.fromkeys(_decode_usage(row["usage"]), 1)
    one_of_each = UsageEvent(
        specversion="1.0", type=EVENT_TYPE, id="", source="", subject="", tenant=row["tenant"],
        time=row["last_seen"], data=UsageData(provider=row["provider"], sku=row["sku"], usage=usage),
    )  # fmt: skip
    events = [one_of_each, *map(read_event, row["samples"])]
    lines = [line for event in events for line in rate(event, standing.book).lines]
    return {line.unit: line.reason for line in lines if line.status in ("provisional", "unpriced")}


def _item(
    provider: str, sku: str, seen: Sequence[tuple[Any, dict[str, str]]], standing: Standing, acting: str,
    now: datetime,
) -> InboxItem:  # fmt: skip
    rows = [row for row, _ in seen]
    why = {unit: reason for _, reasons in seen for unit, reason in reasons.items()}
    usage: dict[str, Decimal] = defaultdict(Decimal)
    stakes: dict[str, list[Decimal]] = defaultdict(list)
    for row in rows:
        stakes[row["currency"]].append(row["provisional"])
        for unit, quantity in _decode_usage(row["usage"]).items():
            usage[unit] = total([usage[unit], Decimal(quantity)])
    used = UsageData(provider=provider, sku=sku, usage={})
    plan = standing.book.plan(rows[0]["tenant"], used)
    owner = plan.provider or provider  # whom the provider's name, as sent, means
    meant = (owner, plan.sku or sku)
    near = nearest(standing, (owner, sku), meant, set(why))
    first_seen = min(row["first_seen"] for row in rows)
    return InboxItem(
        provider=provider,
        sku=sku,
        naming=list(naming(rows[0]["tenant"], used, standing.book)),
        tenants=sorted({row["tenant"] for row in rows}),
        first_seen=first_seen,
        age_s=max(0, int((now - first_seen).total_seconds())),
        last_seen=max(first_seen, *(row["last_seen"] for row in rows)),  # which is of the minute
        events=sum(row["events"] for row in rows),
        unpriced_events=sum(row["unpriced_events"] for row in rows),
        usage=usage,
        units=sorted(why),
        reasons=sorted(set(why.values())),
        at_stake=[AtStake(currency=name, provisional=total(each)) for name, each in sorted(stakes.items())],
        nearest=near,
        proposal=_ready(standing, meant, plan.sku is not None, near[0], set(why), acting, now)
        if near
        else None,
    )


def nearest(standing: Standing, name: tuple[str, str], meant: tuple[str, str], units: set[str]) -> list[Near]:
    """What has a list price for one of these units, is not what the name means, and has a name like it: of
    its family, else of its provider, else anywhere."""
    provider, sku = name
    priced = {
        other
        for other, prices in standing.book.prices.items()
        if other not in (name, meant) and any(_offers(price, units) for price in prices)
    }
    own = {other for other in priced if other[0] == provider}
    line = family(sku)
    kin = {other for other in own if line and family(other[1]) == line}
    alike = SequenceMatcher(b=sku, autojunk=False)
    for names, reason, least in (
        (kin, f"same family ({line}) of {provider}", 0.0),
        (own, "same provider", ALIKE_MIN),
        (priced, "another provider", ALIKE_MIN),
    ):
        ranked = sorted((-_alike(alike, other[1], least), other) for other in names)
        if found := [each for each in ranked if -each[0] >= least]:
            return [
                Near(provider=other[0], sku=other[1], reason=f"{reason}, names {-ratio:.0%} alike")
                for ratio, other in found[:NEAREST_MAX]
            ]
    return []


def _alike(matcher: SequenceMatcher[str], name: str, least: float) -> float:
    """The ratio; 0 where it is quickly known to be under `least`."""
    matcher.set_seq1(name)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    return matcher.ratio()


def _offers(price: Price, units: set[str]) -> bool:
    return price.unit in units and price.kind == "list" and not price.tenant and not price.contract


def _ready(
    standing: Standing,
    name: tuple[str, str],
    known: bool,
    near: Near,
    units: set[str],
    acting: str,
    now: datetime,
) -> ReadyProposal | None:
    """The nearest's prices of now, stated of this sku since ever: for `units` where it is known, else all."""
    provider, sku = name
    offers = [
        price
        for price in standing.book.prices[near.provider, near.sku]
        if _offers(price, units if known else {price.unit}) and _now(price, now)
    ]
    if not offers:
        return None
    grouped: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    for price in sorted(offers, key=lambda price: specificity(price.when)):
        when = msgspec.structs.replace(price.when, effective_from=None, effective_to=None)
        grouped[when, price.per, price.currency, price.minimum, price.per_event][price.unit] = price.price
    tables = [
        {"provider": provider, "sku": sku, "note": near.reason}
        | msgspec.to_builtins(
            Rates(when=when, per=per, currency=currency, minimum=minimum, per_event=per_event, prices=prices)
        )
        for (when, per, currency, minimum, per_event), prices in grouped.items()
    ]
    header = Header(
        source=f"inferred from {near.provider}/{near.sku}, {offers[0].source}",
        recorded_at=now,
        layer="organisation",
        tenant="" if acting == EVERYBODY else acting,
    )
    file = msgspec.to_builtins(header) | {"price": tables}  # JSON is YAML
    text = msgspec.json.format(msgspec.json.encode(file), indent=2).decode()
    text = _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return ReadyProposal(name=f"{provider}-{sku}"[:NAME_MAX].replace("/", "-") + ".yaml", text=text)


def _now(price: Price, now: datetime) -> bool:
    when = price.when
    return (when.effective_from or now) <= now < (when.effective_to or datetime.max.replace(tzinfo=UTC))
