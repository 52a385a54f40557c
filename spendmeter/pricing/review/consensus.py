"""Where other catalogs state other prices than ours. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from spendmeter.contracts.catalog import CatalogEntry, Conditions, Price
from spendmeter.contracts.events import Context, UsageData
from spendmeter.contracts.money import EXACT, plain
from spendmeter.pricing import checks
from spendmeter.pricing.decision import Decision
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.scope import is_everybodys


class Disagreement(Struct, frozen=True, kw_only=True):
    """Two catalogs on the price of one unit of the same thing, under the same conditions."""

    provider: str
    sku: str
    unit: str
    when: Conditions
    catalog: str
    """Whose word theirs is."""
    name: str
    """What that catalog calls it; '' = as we do."""
    ours: str | None
    """For `per` units; None = we have no price of the unit's own."""
    charged: str | None
    """The same, or what the unit's parent costs where that is what we charge."""
    theirs: str
    per: int
    currency: str
    our_currency: str
    """'' = we have no price."""
    our_entry: str
    our_factors: tuple[str, ...]
    their_entry: str


def consensus(book: PriceBook, others: Mapping[str, Iterable[CatalogEntry]]) -> list[Disagreement]:
    """Where other catalogs, by name, state another list price for a model that both know.

    Each of their prices is compared with what the book would charge under its conditions, when it was
    recorded. Prices by the hour are left out, and zeros of theirs where we have no price.
    """
    found = [
        disagreement
        for catalog, entries in others.items()
        for price in checks.of(checks.by_kind(entries), Price)
        if price.kind == "list" and is_everybodys(price) and not price.when.windows
        if (disagreement := _compare(book, catalog, price))
    ]
    return sorted(found, key=lambda each: (each.catalog, each.provider, each.sku, each.unit, str(each.when)))


def _compare(book: PriceBook, catalog: str, price: Price) -> Disagreement | None:
    found = book.meaning("", price.provider, price.sku)
    model, seller = found.model, found.seller
    if model is None or not price.when.in_force(price.recorded_at):
        return None
    ours = _our_price(book, price)
    if ours and any(each.id == ours.entry and each.when.windows for each in book.prices[seller, model.owner]):
        return None
    charged = ours
    if ours is None or ours.parent:
        if not Decimal(price.price):
            return None
        ours = None
    elif ours.currency == price.currency and Fraction(ours.price) / ours.per == price.per_unit:
        return None
    return Disagreement(
        provider=seller,
        sku=model.owner,
        unit=price.unit,
        when=price.when,
        catalog=catalog,
        name="" if price.sku.lower() == model.owner else price.sku,
        ours=_stated_for(ours, price.per),
        charged=_stated_for(charged, price.per),
        theirs=price.price,
        per=price.per,
        currency=price.currency,
        our_currency=ours.currency if ours else "",
        our_entry=charged.entry if charged else "",
        our_factors=tuple(factor.entry for factor in charged.multipliers) if charged else (),
        their_entry=price.id,
    )


def _stated_for(decision: Decision | None, per: int) -> str | None:
    return plain(EXACT.multiply(decision.per_unit, Decimal(per))) if decision else None


def _our_price(book: PriceBook, price: Price) -> Decision | None:
    """What our book would charge under the conditions of theirs."""
    when = price.when
    context = Context(
        service_tier=next(iter(when.tiers), "standard"),
        region=next(iter(when.regions), ""),
        batch=bool(when.batch),
    )
    plan = book.plan("", UsageData(provider=price.provider, sku=price.sku, usage={}, context=context))
    length = 0 if when.context_min is None else when.context_min + (not when.context_min_inclusive)
    return plan.decide(price.unit, price.recorded_at, length)
