"""Drafts: a price file to begin with, for what is used and has no price. One more name of a model where the
name is one, else the prices of the nearest thing that has some."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from spendmeter.contracts.catalog import Model, Price
from spendmeter.pricing.catalog.files import Header, ModelLine, Rates
from spendmeter.pricing.conditions import specificity
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.nearest import Neighbour, UnpricedSku, is_everybodys_list_price, same_model
from spendmeter.pricing.visibility import EVERYBODY

NAME_MAX = 190
_ALIKE = ("per", "currency", "minimum", "maximum", "per_event", "assumes", "all_in")
"""What prices have in common that stand in one table of a file."""
_NOT_IN_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON may hold as it is, and YAML reads as the end of a line or not at all."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A price file to begin with: propose `text` under `name`, with `replace`, as it is or edited.

    alias: one more name of a model; price: a price list.
    """

    kind: Literal["alias", "price"]
    says: str
    name: str
    text: str
    replace: bool = False


def draft(
    book: PriceBook, unpriced: UnpricedSku, near: Sequence[Neighbour], as_tenant: str, now: datetime
) -> Draft | None:
    """The file; None where nothing is near. A tenant gives no model another name: names are everybody's."""
    named = not unpriced.is_known and as_tenant == EVERYBODY
    if near and book.is_unconfirmed((near[0].provider, near[0].sku)):
        named = False
    if named and (same := same_model(book, unpriced)):
        return _alias(book, unpriced, same, now)
    return _prices(book, unpriced, near[0], as_tenant, now) if near else None


def _alias(book: PriceBook, unpriced: UnpricedSku, same: tuple[str, str], now: datetime) -> Draft:
    """The model's own entry, with one more name."""
    seller, sku = same
    model = book.models.get(same) or Model(provider=seller, sku=sku, source="", recorded_at=now)
    says = f"{unpriced.sent} is another name of {seller}/{sku}"
    entry = replace(model, aliases=(*model.aliases, unpriced.sent), source="", note=says)
    fields = msgspec.to_builtins(entry)
    table = {name: fields[name] for name in ModelLine.__struct_fields__ if fields.get(name)}
    header = Header(source=f"the inbox: {says}", recorded_at=now, layer="organisation")
    text = _file(header, model=[table])
    return Draft(kind="alias", says=says, name=_name(unpriced), text=text, replace=True)


def _prices(
    book: PriceBook, unpriced: UnpricedSku, near: Neighbour, as_tenant: str, now: datetime
) -> Draft | None:
    """The nearest's prices of now, stated of this sku since ever: for the units where it is known, else
    all."""
    units = unpriced.units if unpriced.is_known else None
    sku = near.provider, near.sku
    offers = [
        price
        for price in (*book.prices.get(sku, ()), *book.unconfirmed.prices.get(sku, ()))
        if is_everybodys_list_price(price, units) and price.when.in_force(now)
    ]
    if not offers:
        return None
    header = Header(
        source=f"inferred from {near.provider}/{near.sku}, {offers[0].source}",
        recorded_at=now,
        layer="organisation",
        tenant="" if as_tenant == EVERYBODY else as_tenant,
    )
    about = {"provider": unpriced.provider, "sku": unpriced.sku, "note": near.reason}
    text = _file(header, price=[about | msgspec.to_builtins(rates) for rates in _rates(offers)])
    says = f"the prices of {near.provider}/{near.sku}, to begin with"
    return Draft(kind="price", says=says, name=_name(unpriced), text=text)


def _rates(offers: Sequence[Price]) -> list[Rates]:
    """The prices without their dates, those of the same conditions together, the most general first."""
    grouped: dict[tuple[Any, ...], dict[str, str]] = defaultdict(dict)
    for price in sorted(offers, key=lambda price: specificity(price.when)):
        when = price.when.without_dates()
        alike = (when, *(getattr(price, name) for name in _ALIKE))
        grouped[alike][price.unit] = price.price
    return [
        Rates(when=when, **dict(zip(_ALIKE, alike, strict=True)), prices=prices)
        for (when, *alike), prices in grouped.items()
    ]


def _name(unpriced: UnpricedSku) -> str:
    return f"{unpriced.provider}-{unpriced.sku}"[:NAME_MAX].replace("/", "-") + ".yaml"


def _file(header: Header, **tables: Any) -> str:
    """A price file as JSON, which is YAML."""
    file = msgspec.json.encode(msgspec.to_builtins(header) | tables)
    text = msgspec.json.format(file, indent=2).decode()
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
