"""What was booked at a bound or without an amount, by provider and sku: what it lacks still, or that it has a
price by now and keeps what it was booked at. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel, Field

from services.api.catalog.book import Standing
from services.api.catalog.ready import Near, ReadyProposal, Wanted, nearest, ready
from services.api.events.receipt import read_event
from services.api.http.models import PlainDecimal
from spendmeter.contracts.events import EVENT_TYPE, UsageData, UsageEvent
from spendmeter.contracts.money import total
from spendmeter.contracts.rated import decode_lines
from spendmeter.pricing.explain import naming
from spendmeter.pricing.missing import Kind, Missing, missing

_decode_usage = msgspec.json.Decoder(dict[str, int | Decimal], float_hook=Decimal).decode
_NO_PRICE: frozenset[Kind] = frozenset({"model", "price", "conditions"})
"""What the price of something near it is an answer to."""


class AtStake(BaseModel):
    """What was booked at a bound, in one book currency."""

    currency: str
    provisional: PlainDecimal


class Lack(BaseModel):
    """One thing that is missing, and what to do about it; of a rate: one `base` in `quote`."""

    kind: Kind
    says: str
    advice: str
    unit: str = ""
    nearest: str = Field("", description="of a unit that nobody knows: the one that was probably meant")
    base: str = ""
    quote: str = ""


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
    usage: dict[str, PlainDecimal]
    lacks: list[Lack]
    units: list[str] = Field(description="those without a price")
    reasons: list[str]
    kept: str = ""
    at_stake: list[AtStake]
    nearest: list[Near]
    proposal: ReadyProposal | None = Field(
        description="null where nothing near has a price, or none is missing"
    )


class UnknownUnit(BaseModel):
    """A unit that events state and nobody knows: a typo, or tomorrow's unit."""

    unit: str
    nearest: str
    says: str
    advice: str
    of: list[str] = Field(description="whose usage states it, as provider/sku")
    tenants: list[str]
    last_seen: datetime


class Waiting(NamedTuple):
    """A row of what is waiting, and what its usage lacks now."""

    row: Any
    lacks: list[Missing]


def waiting(rows: Iterable[Any], standing: Standing) -> dict[tuple[str, str], list[Waiting]]:
    """By provider and sku, lower case."""
    found: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
    for row in rows:
        lacks = list(dict.fromkeys(each for event in _probes(row) for each in missing(event, standing.book)))
        found[row["provider"].lower(), row["sku"].lower()].append(Waiting(row, lacks))
    return found


def _probes(row: Any) -> Iterator[UsageEvent]:
    """Some of the events as they were; and where those do not tell all, one of each unit (a sum may be more
    than any event holds) at the beginning and at the end."""
    samples = [read_event(event) for event in row["samples"]]
    yield from samples
    if samples and not row["provisional"]:
        return
    usage = dict.fromkeys(_decode_usage(row["usage"]), 1)
    for time in (row["earliest"], row["last_seen"]):
        yield UsageEvent(
            specversion="1.0", type=EVENT_TYPE, id="", source="", subject="", tenant=row["tenant"], time=time,
            data=UsageData(provider=row["provider"], sku=row["sku"], usage=usage),
        )  # fmt: skip


def newest_first(found: dict[tuple[str, str], list[Waiting]]) -> list[tuple[tuple[str, str], list[Waiting]]]:
    """What lacks something before what only keeps what it was booked at."""

    def place(item: tuple[tuple[str, str], list[Waiting]]) -> tuple[bool, float]:
        _, rows = item
        return not _open(rows), -min(each.row["first_seen"] for each in rows).timestamp()

    return sorted(found.items(), key=place)


def _open(rows: Sequence[Waiting]) -> bool:
    return any(each.lacks for each in rows)


def item(
    name: tuple[str, str], seen: Sequence[Waiting], standing: Standing, acting: str, now: datetime
) -> InboxItem:
    """The rows of one provider and sku as one item."""
    provider, sku = name
    rows = [each.row for each in seen]
    lacks = list(dict.fromkeys(lack for each in seen for lack in each.lacks))
    usage: dict[str, Decimal] = defaultdict(Decimal)
    stakes: dict[str, list[Decimal]] = defaultdict(list)
    for row in rows:
        stakes[row["currency"]].append(row["provisional"])
        for unit, quantity in _decode_usage(row["usage"]).items():
            usage[unit] = total([usage[unit], Decimal(quantity)])
    used = UsageData(provider=provider, sku=sku, usage={})
    plan = standing.book.plan(rows[0]["tenant"], used)
    unpriced = frozenset(lack.unit for lack in lacks if lack.kind in _NO_PRICE)
    owner = plan.provider or provider  # whom the provider's name, as sent, means
    known = plan.sku is not None
    wanted = Wanted(provider=owner, sku=sku, meant=plan.sku or sku, known=known, units=unpriced)
    near = nearest(standing, wanted) if unpriced else []
    first_seen = min(row["first_seen"] for row in rows)
    return InboxItem(
        state="open" if lacks else "booked",
        provider=provider,
        sku=sku,
        naming=list(naming(rows[0]["tenant"], used, standing.book)),
        tenants=sorted({row["tenant"] for row in rows}),
        first_seen=first_seen,
        age_s=max(0, int((now - first_seen).total_seconds())),
        last_seen=max(first_seen, *(row["last_seen"] for row in rows)),  # which is of the minute
        since=min(row["earliest"] for row in rows),
        events=sum(row["events"] for row in rows),
        unpriced_events=sum(row["unpriced_events"] for row in rows),
        usage=usage,
        lacks=[Lack(**msgspec.structs.asdict(lack)) for lack in lacks],
        units=sorted({lack.unit for lack in lacks if lack.unit}),
        reasons=sorted({lack.says for lack in lacks}),
        kept="" if lacks else _kept(rows),
        at_stake=[AtStake(currency=name, provisional=total(each)) for name, each in sorted(stakes.items())],
        nearest=near,
        proposal=ready(standing, wanted, near, acting, now) if unpriced else None,
    )


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


def unknown_units(found: dict[tuple[str, str], list[Waiting]]) -> list[UnknownUnit]:
    """Every unit that nobody knows, the latest first."""
    by_unit: dict[str, list[tuple[str, Any, Missing]]] = defaultdict(list)
    for (provider, sku), rows in found.items():
        for row, lacks in rows:
            for lack in lacks:
                if lack.kind == "unit":
                    by_unit[lack.unit].append((f"{provider}/{sku}", row, lack))
    units = [
        UnknownUnit(
            unit=unit,
            nearest=uses[0][2].nearest,
            says=uses[0][2].says,
            advice=uses[0][2].advice,
            of=sorted({of for of, _, _ in uses}),
            tenants=sorted({row["tenant"] for _, row, _ in uses}),
            last_seen=max(row["last_seen"] for _, row, _ in uses),
        )
        for unit, uses in by_unit.items()
    ]
    return sorted(units, key=lambda each: (each.last_seen, each.unit), reverse=True)
