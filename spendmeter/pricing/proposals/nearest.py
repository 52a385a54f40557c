"""What is used and has no price, and what has one and is probably like it."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from msgspec import Struct

from spendmeter.contracts.catalog import Price
from spendmeter.pricing.names import family, spelling
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.scope import is_everybodys

NEAREST_MAX = 3
ALIKE_MIN = 0.6
"""Of difflib; names of one family need not be alike."""


class UnpricedSku(Struct, frozen=True, kw_only=True):
    """What is used without a price for some units."""

    provider: str
    """As the catalog calls it, where it does."""
    sent: str
    """The name as it was sent, lower case."""
    sku: str
    """The known model's own name; as sent where no model is known."""
    is_known: bool
    units: frozenset[str]
    """Those without a price."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """Something that has a price, and why it is taken to be like what has none."""

    provider: str
    sku: str
    reason: str


def nearest(book: PriceBook, unpriced: UnpricedSku) -> list[Neighbour]:
    """What one public list alone says of the name; else what has a list price for one of the units, is not
    what the name means, and has a name like it: of its family, else of its provider, else anywhere."""
    provider = unpriced.provider
    bounds = book.meaning("", provider, unpriced.sent).bounds
    if stated := [near.sku for near in bounds.near if near.unconfirmed]:
        return [Neighbour(provider=whose, sku=sku, reason=bounds.says) for whose, sku in stated]
    itself = {(provider, unpriced.sent), (provider, unpriced.sku)}
    priced = {
        sku
        for sku, prices in book.prices.items()
        if sku not in itself and any(is_everybodys_list_price(price, unpriced.units) for price in prices)
    }
    own = {sku for sku in priced if sku[0] == provider}
    line = family(unpriced.sent)
    kin = {sku for sku in own if line and family(sku[1]) == line}
    matcher = SequenceMatcher(b=unpriced.sent, autojunk=False)
    for skus, reason, least in (
        (kin, f"same family ({line}) of {provider}", 0.0),
        (own, "same provider", ALIKE_MIN),
        (priced, "another provider", ALIKE_MIN),
    ):
        ranked = sorted((-_likeness(matcher, sku[1], least), sku) for sku in skus)
        if found := [each for each in ranked if -each[0] >= least]:
            return [
                Neighbour(provider=sku[0], sku=sku[1], reason=f"{reason}, names {-ratio:.0%} alike")
                for ratio, sku in found[:NEAREST_MAX]
            ]
    return []


def _likeness(matcher: SequenceMatcher[str], name: str, least: float) -> float:
    """The ratio; 0 where it is quickly known to be under `least`."""
    matcher.set_seq1(name)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    return matcher.ratio()


def is_everybodys_list_price(price: Price, units: frozenset[str] | None = None) -> bool:
    """Whether it is one, of one of the units (None = any): what others have negotiated is no suggestion."""
    of_units = units is None or price.unit in units
    return of_units and price.kind == "list" and is_everybodys(price)


def same_model(book: PriceBook, unpriced: UnpricedSku) -> tuple[str, str] | None:
    """The one model of the provider, or of whom it resells, that is spelled like this; one with a date in its
    name stands back behind one without."""
    written = spelling(unpriced.sent)
    for seller in book.sellers(unpriced.provider):
        names = [sku for provider, sku in book.prices if provider == seller]
        found = sorted(name for name in names if written and spelling(name) == written)
        undated = [name for name in found if re.sub(r"[^a-z0-9]", "", name) == written]
        if len(chosen := undated or found) == 1:
            return seller, chosen[0]
    return None
