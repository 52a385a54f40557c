"""What was booked at a bound or without an amount, by provider and sku: what it lacks still, or that it has a
price by now and keeps what it was booked at. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel, Field

from services.api.http.models import DecimalString
from spendmeter.contracts.event_reading import decode_event
from spendmeter.contracts.events import EVENT_TYPE, UsageData, UsageEvent
from spendmeter.contracts.money import totals
from spendmeter.contracts.rated import decode_lines
from spendmeter.pricing.explain import naming
from spendmeter.pricing.missing import Kind, Missing, missing
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.draft import Draft, draft
from spendmeter.pricing.proposals.nearest import Neighbour, UnpricedSku, nearest

_decode_usage = msgspec.json.Decoder(dict[str, int | Decimal], float_hook=Decimal).decode
_NO_PRICE: frozenset[Kind] = frozenset({"model", "price", "conditions"})
"""What the price of something near it is an answer to."""


class AtStake(BaseModel):
    """What was booked at a bound, in one book currency."""

    currency: str
    provisional: DecimalString


class InboxItem(BaseModel):
    """Usage of the last 90 days that was booked at a bound or without an amount. `events` include what the
    same minutes saw of it with a price; what unpriced events cost is not known, so they are counted.

    open: it lacks something still. booked: it has a price by now, which came after it was booked; `kept` says
    what that means for the book.
    """

    state: Literal["open", "booked"]
    provider: str
    sku: str
    naming: list[str] = Field(description="what these names mean, where they are not the catalog's own")
    tenants: list[str]
    first_seen: datetime
    age_s: int
    last_seen: datetime
    since: datetime = Field(description="the earliest minute of such usage, by the events' own time")
    events: int
    unpriced_events: int
    usage: dict[str, DecimalString]
    lacks: list[Missing]
    units: list[str] = Field(description="those without a price")
    reasons: list[str]
    kept: str = ""
    at_stake: list[AtStake]
    nearest: list[Neighbour]
    proposal: Draft | None = Field(description="null where nothing near has a price, or none is missing")


class UnknownUnit(BaseModel):
    """A unit that events state and nobody knows: a typo, or tomorrow's unit."""

    unit: str
    nearest: str
    says: str
    advice: str
    of: list[str] = Field(description="whose usage states it, as provider/sku")
    tenants: list[str]
    last_seen: datetime


class UnpricedRow(NamedTuple):
    """A tenant's usage of a sku in one currency, as the book has it, and what it lacks now."""

    row: Any
    lacks: list[Missing]


SentName = tuple[str, str]
"""Provider and sku as they were sent, lower case."""
Unpriced = dict[SentName, list[UnpricedRow]]


def by_name(rows: Iterable[Any], book: PriceBook) -> Unpriced:
    """What was booked without a price or at a bound, and what it lacks by the book of now."""
    found: Unpriced = defaultdict(list)
    for row in rows:
        lacks = list(dict.fromkeys(each for event in _probes(row) for each in missing(event, book)))
        found[row["provider"].lower(), row["sku"].lower()].append(UnpricedRow(row, lacks))
    return found


def _probes(row: Any) -> Iterator[UsageEvent]:
    """Some of the events as they were; and where those do not tell all, one of each unit (a sum may be more
    than any event holds) at the beginning and at the end."""
    samples = [decode_event(event) for event in row["samples"]]
    yield from samples
    if samples and not row["provisional"]:
        return
    usage = dict.fromkeys(_decode_usage(row["usage"]), 1)
    for time in (row["earliest"], row["last_seen"]):
        yield UsageEvent(
            specversion="1.0",
            type=EVENT_TYPE,
            id="",
            source="",
            subject="",
            tenant=row["tenant"],
            time=time,
            data=UsageData(provider=row["provider"], sku=row["sku"], usage=usage),
        )


def newest_first(found: Unpriced) -> list[tuple[SentName, list[UnpricedRow]]]:
    """What lacks something before what only keeps what it was booked at."""

    def place(item: tuple[SentName, list[UnpricedRow]]) -> tuple[bool, float]:
        first_seen = min(row["first_seen"] for row, _ in item[1])
        return not any(lacks for _, lacks in item[1]), -first_seen.timestamp()

    return sorted(found.items(), key=place)


def inbox_item(
    name: SentName, unpriced: Sequence[UnpricedRow], book: PriceBook, as_tenant: str, now: datetime
) -> InboxItem:
    """All usage of one name as one item."""
    provider, sku = name
    rows = [row for row, _ in unpriced]
    lacks = list(dict.fromkeys(lack for _, lacks in unpriced for lack in lacks))
    used = UsageData(provider=provider, sku=sku, usage={})
    near, file = _ways_out(used, rows[0]["tenant"], lacks, book, as_tenant, now)
    first_seen = min(row["first_seen"] for row in rows)
    at_stake = sorted(totals((row["currency"], row["provisional"]) for row in rows).items())
    quantities = (item for row in rows for item in _decode_usage(row["usage"]).items())
    return InboxItem(
        state="open" if lacks else "booked",
        provider=provider,
        sku=sku,
        naming=list(naming(rows[0]["tenant"], used, book)),
        tenants=sorted({row["tenant"] for row in rows}),
        first_seen=first_seen,
        age_s=max(0, int((now - first_seen).total_seconds())),
        last_seen=max(first_seen, *(row["last_seen"] for row in rows)),  # which is of the minute
        since=min(row["earliest"] for row in rows),
        events=sum(row["events"] for row in rows),
        unpriced_events=sum(row["unpriced_events"] for row in rows),
        usage=totals((unit, Decimal(quantity)) for unit, quantity in quantities),
        lacks=lacks,
        units=sorted({lack.unit for lack in lacks if lack.unit}),
        reasons=sorted({lack.says for lack in lacks}),
        kept="" if lacks else _kept(rows),
        at_stake=[AtStake(currency=currency, provisional=amount) for currency, amount in at_stake],
        nearest=near,
        proposal=file,
    )


def _ways_out(
    used: UsageData, tenant: str, lacks: Iterable[Missing], book: PriceBook, as_tenant: str, now: datetime
) -> tuple[list[Neighbour], Draft | None]:
    """What is near what has no price, and the file to begin with."""
    units = frozenset(lack.unit for lack in lacks if lack.kind in _NO_PRICE)
    if not units:
        return [], None
    plan = book.plan(tenant, used)
    unpriced = UnpricedSku(
        provider=plan.provider or used.provider,
        sent=used.sku,
        sku=plan.sku or used.sku,
        is_known=plan.sku is not None,
        units=units,
    )
    near = nearest(book, unpriced)
    return near, draft(book, unpriced, near, as_tenant, now)


def _kept(rows: Sequence[Any]) -> str:
    """What became of usage that has a price by now."""
    unpriced = any(row["unpriced_events"] for row in rows)
    reasons = {line.reason for row in rows for lines in row["lines"] for line in decode_lines(lines)}
    what = "rate" if any(reason.startswith("No rate from") for reason in reasons) else "price"
    if unpriced and any(row["provisional"] for row in rows):
        kept = "keeps its bound, or no amount,"
    else:
        kept = "keeps no amount" if unpriced else "keeps its bound"
    status = "unpriced" if unpriced else "provisional"
    return f"{status}; booked before its {what} was stated; {kept} until re-rated"


def unknown_units(found: Unpriced) -> list[UnknownUnit]:
    """Every unit that nobody knows, the latest first."""
    lacks: dict[str, Missing] = {}
    uses: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for (provider, sku), unpriced in found.items():
        for row, missing_now in unpriced:
            for lack in missing_now:
                if lack.kind == "unit":
                    lacks.setdefault(lack.unit, lack)
                    uses[lack.unit].append((f"{provider}/{sku}", row))
    units = [
        UnknownUnit(
            unit=unit,
            nearest=lack.nearest,
            says=lack.says,
            advice=lack.advice,
            of=sorted({name for name, _ in uses[unit]}),
            tenants=sorted({row["tenant"] for _, row in uses[unit]}),
            last_seen=max(row["last_seen"] for _, row in uses[unit]),
        )
        for unit, lack in lacks.items()
    ]
    return sorted(units, key=lambda each: (each.last_seen, each.unit), reverse=True)
