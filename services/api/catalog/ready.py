"""Ready proposals: a file to begin with for what is used and has no price. Another name of a model where the
name is one, else the prices of the nearest thing that has some. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec
from msgspec import Struct
from pydantic import BaseModel, Field

from services.api.catalog.book import EVERYBODY, Standing
from spendmeter.contracts.catalog import Model, Price
from spendmeter.pricing.catalog.files import Header, Rates
from spendmeter.pricing.conditions import specificity
from spendmeter.pricing.names import family, spelling

NEAREST_MAX = 3
ALIKE_MIN = 0.6
"""Of difflib; names of one family need not be alike."""
NAME_MAX = 190
_NOT_IN_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON may hold as it is, and YAML reads as the end of a line or not at all."""


class Near(BaseModel):
    """Something that has a price, and why it is taken to be like this."""

    provider: str
    sku: str
    reason: str


class ReadyProposal(BaseModel):
    """A price file to begin with: POST `text` to /v1/catalog/proposals?name=`name`&replace=`replace`, as it
    is or edited."""

    kind: Literal["alias", "price"] = Field(
        description="alias: one more name of a model; price: a price list"
    )
    says: str
    name: str
    text: str
    replace: bool = False


class Wanted(Struct, frozen=True, kw_only=True):
    """What a ready proposal is for."""

    provider: str
    """As the catalog calls it, where it does."""
    sku: str
    """As it was sent, lower case."""
    meant: str
    """The known model's own name; as sent where no model is known."""
    known: bool
    units: frozenset[str]
    """Those without a price."""


def ready(
    standing: Standing, wanted: Wanted, near: Sequence[Near], acting: str, now: datetime
) -> ReadyProposal | None:
    """The file; None where nothing is near. A tenant gives no model another name: names are everybody's."""
    if not wanted.known and acting == EVERYBODY and (same := same_model(standing, wanted)):
        return _alias(standing, wanted, same, now)
    return _prices(standing, wanted, near[0], acting, now) if near else None


def same_model(standing: Standing, wanted: Wanted) -> tuple[str, str] | None:
    """The one model of the provider, or of whom it resells, that is spelled like this; one with a date in its
    name stands back behind one without."""
    written = spelling(wanted.sku)
    for seller in standing.book.sellers(wanted.provider):
        found = sorted(name for name in _names(standing, seller) if written and spelling(name) == written)
        undated = [name for name in found if re.sub(r"[^a-z0-9]", "", name) == written]
        if len(chosen := undated or found) == 1:
            return seller, chosen[0]
    return None


def _names(standing: Standing, seller: str) -> Iterator[str]:
    return (sku for provider, sku in standing.book.prices if provider == seller)


def _alias(standing: Standing, wanted: Wanted, same: tuple[str, str], now: datetime) -> ReadyProposal:
    """The model's own entry, with one more name."""
    seller, sku = same
    model = standing.book.models.get(same) or Model(provider=seller, sku=sku, source="", recorded_at=now)
    says = f"{wanted.sku} is another name of {seller}/{sku}"
    table = {
        "provider": seller, "sku": sku, "aliases": [*model.aliases, wanted.sku], "match": model.match,
        "unless": model.unless, "family": model.family, "retired": model.retired, "note": says,
    }  # fmt: skip
    header = Header(source=f"the inbox: {says}", recorded_at=now, layer="organisation")
    file = msgspec.to_builtins(header) | {"model": [{key: value for key, value in table.items() if value}]}
    return ReadyProposal(kind="alias", says=says, name=_name(wanted), text=_text(file), replace=True)


def _prices(
    standing: Standing, wanted: Wanted, near: Near, acting: str, now: datetime
) -> ReadyProposal | None:
    """The nearest's prices of now, stated of this sku since ever: for the units where it is known, else
    all."""
    offers = [
        price
        for price in standing.book.prices[near.provider, near.sku]
        if _offers(price, wanted.units if wanted.known else {price.unit}) and price.when.in_force(now)
    ]
    if not offers:
        return None
    grouped: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    for price in sorted(offers, key=lambda price: specificity(price.when)):
        when = msgspec.structs.replace(price.when, effective_from=None, effective_to=None)
        grouped[when, price.per, price.currency, price.minimum, price.per_event][price.unit] = price.price
    tables = [
        {"provider": wanted.provider, "sku": wanted.meant, "note": near.reason}
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
    says = f"the prices of {near.provider}/{near.sku}, to begin with"
    file = msgspec.to_builtins(header) | {"price": tables}
    return ReadyProposal(kind="price", says=says, name=_name(wanted), text=_text(file))


def _name(wanted: Wanted) -> str:
    return f"{wanted.provider}-{wanted.meant}"[:NAME_MAX].replace("/", "-") + ".yaml"


def _text(file: Any) -> str:
    """JSON, which is YAML."""
    text = msgspec.json.format(msgspec.json.encode(file), indent=2).decode()
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def nearest(standing: Standing, wanted: Wanted) -> list[Near]:
    """What has a list price for one of these units, is not what the name means, and has a name like it: of
    its family, else of its provider, else anywhere."""
    provider, sku = wanted.provider, wanted.sku
    not_it = {(provider, sku), (provider, wanted.meant)}
    priced = {
        other
        for other, prices in standing.book.prices.items()
        if other not in not_it and any(_offers(price, wanted.units) for price in prices)
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


def _offers(price: Price, units: frozenset[str] | set[str]) -> bool:
    return price.unit in units and price.kind == "list" and not price.tenant and not price.contract
