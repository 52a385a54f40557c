"""Usage that was priced without regard to how it was served, by provider, kind of remark and value. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Inexact
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString
from spendmeter.contracts.event_reading import decode_event
from spendmeter.contracts.events import EventError, UsageEvent
from spendmeter.contracts.money import totals
from spendmeter.contracts.rated import Remark
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.remarks import remark_advice, remark_in_words

BATCH = "batch"
"""The value of that kind, which has no other."""
OTHERS = ""
"""Whom rows name that add up what came after the first spellings of a day: see the ledger's `remarks.py`."""
OTHERS_SAY = "no price is for this {kind}: more were stated in a day than are listed one by one"
OTHERS_ADVICE = "ask who sends: the events of that time state it, in a spelling of its own each"
KEPT = "booked before a price or a spelling for it was stated; keeps its price until re-rated"


class RemarkedMoney(BaseModel):
    """What was booked under a remark, in one book currency."""

    currency: str
    effective: DecimalString


class RemarkItem(BaseModel):
    """All usage that a vendor charges by how it is served and that no price mentions: `value` is the tier or
    the region as events state it, in small letters; of a batch it is "batch". An event with several remarks
    counts under each.

    Of what came after the first spellings of a tenant's day `provider` is "" and `value` "other".

    open: the catalog of now has no price and no spelling for it still. booked: it has one.
    """

    state: Literal["open", "booked"]
    kind: Remark
    provider: str = Field(description="as events name it, in small letters")
    value: str
    says: str
    advice: str
    kept: str = ""
    tenants: list[str] = Field(description="the first twenty")
    events: int
    money: list[RemarkedMoney]
    since: datetime = Field(description="the first of these events, by their own time")
    last_seen: datetime


RemarkName = tuple[Remark, str, str]


def remark_items(rows: Iterable[Any], book: PriceBook) -> list[RemarkItem]:
    """Rows of `remarks_seen` as items, in their order; what is open first."""
    found: defaultdict[RemarkName, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["kind"], row["provider"], row["value"]].append(row)
    items = [_item(name, each, book) for name, each in found.items()]
    return sorted(items, key=lambda item: item.state != "open")


def _item(name: RemarkName, rows: Sequence[Any], book: PriceBook) -> RemarkItem:
    kind, provider, value = name
    is_open = _is_remarked(name, rows, book)
    money = sorted(totals((row["currency"], row["effective"]) for row in rows).items())
    return RemarkItem(
        state="open" if is_open else "booked",
        kind=kind,
        provider=provider,
        value=value,
        says=OTHERS_SAY.format(kind=kind) if provider == OTHERS else remark_in_words(kind, value),
        advice=_advice(name) if is_open else "",
        kept="" if is_open else KEPT,
        tenants=sorted({tenant for row in rows for tenant in row["tenants"]}),
        events=sum(row["events"] for row in rows),
        money=[RemarkedMoney(currency=currency, effective=amount) for currency, amount in money],
        since=min(row["first_at"] for row in rows),
        last_seen=max(row["last_at"] for row in rows),
    )


def _advice(name: RemarkName) -> str:
    kind, provider, value = name
    return OTHERS_ADVICE if provider == OTHERS else remark_advice(kind, provider, value)


def _is_remarked(name: RemarkName, rows: Iterable[Any], book: PriceBook) -> bool:
    """Whether the catalog of now would still remark it: of some of the last events, and where there is none
    to ask, or none that can be priced now, it is taken to be so."""
    events = [decode_event(event) for row in rows for event in row["samples"]]
    try:
        lines = [line for event in events if _states(event, name) for line in rate(event, book).lines]
    except (EventError, Inexact):
        return True
    return not lines or any(name[0] in line.remarks for line in lines)


def _states(event: UsageEvent, name: RemarkName) -> bool:
    kind, provider, value = name
    context = event.data.context
    stated = {"batch": BATCH, "tier": context.service_tier, "region": context.region}[kind].lower()
    in_name = kind != "batch" and value in event.data.sku.lower()
    return event.data.provider.lower() == provider and (stated == value or in_name)
