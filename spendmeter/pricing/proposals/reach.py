"""Whose usage of what a change concerns, and what it costs by the books before and after."""

from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal, Inexact
from typing import Literal, NamedTuple

from spendmeter.contracts import catalog
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.events import UsageData, UsageEvent
from spendmeter.contracts.money import totals
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook


class Reach(NamedTuple):
    """What an entry concerns, by provider, sku, book currency and tenant, lower case; '' = any."""

    provider: str = ""
    sku: str = ""
    currency: str = ""
    tenant: str = ""


def reach_of(entries: Mapping[str, CatalogEntry], added: Iterable[CatalogEntry]) -> set[Reach]:
    """What a change concerns. `entries`: those before it by id, of which it may withdraw some."""
    found: set[Reach] = set()
    for entry in added:
        if isinstance(entry, catalog.Withdrawal):
            found.update(*(_reach(entries[key], withdrawn=True) for key in entry.entries))
        else:
            found.update(_reach(entry))
    return found


def _reach(entry: CatalogEntry, withdrawn: bool = False) -> Iterator[Reach]:
    match entry:
        case catalog.Price() | catalog.Model():
            yield Reach(provider=entry.provider.lower(), sku=entry.sku.lower())
        case catalog.Adjustment() | catalog.Alias():
            yield Reach(provider=entry.provider.lower())
        case catalog.FxRate():
            yield Reach(currency=entry.quote)
        case catalog.TenantTerms():
            yield Reach(tenant=entry.tenant)
        case catalog.PeriodTerm():
            pass  # trued up by the ledger; no event's own price
        case catalog.CalendarEntry() | catalog.UnitEntry(parent=None) if not withdrawn:
            pass  # nothing is priced by it but what is stated with it
        case _:
            yield Reach()


def concerned(
    tenant: str, provider: str, sku: str, reach: Set[Reach], books: Iterable[PriceBook]
) -> Literal["named", "sibling"] | None:
    """Whether one of the books prices this usage by what changes, or bounds it by a sibling that does."""
    by_sibling = False
    for book in books:
        plan = book.plan(tenant, UsageData(provider=provider, sku=sku, usage={}))
        seller = plan.provider or ""
        currencies = book.agreement(tenant).currencies
        named = {Reach(), Reach(tenant=tenant), Reach(seller), Reach(seller, plan.sku or "")}
        named.add(Reach(plan.reseller))
        if reach & (named | {Reach(currency=currency) for currency in currencies}):
            return "named"
        bounding = {seller, *(near.provider for near, _ in plan.bounded.by)}
        by_sibling |= plan.sku is None and any(each.provider in bounding for each in reach if each.provider)
    return "sibling" if by_sibling else None


def rate_all(events: Iterable[UsageEvent], book: PriceBook) -> list[Rating]:
    """What events that are booked would cost by another book. Raises CatalogError where an amount would have
    more digits than money has: the book that booked them could."""
    ratings = []
    for event in events:
        try:
            ratings.append(rate(event, book))
        except Inexact as error:
            raise CatalogError(
                f"what {event.data.provider}/{event.data.sku} costs would have more digits than money"
            ) from error
    return ratings


def costs(ratings: Iterable[Rating]) -> dict[str, Decimal]:
    """What they come to, effective, by book currency."""
    return totals((rating.currency, rating.effective) for rating in ratings)
