"""The ways in which a call may be served, as far as it does not state one: a plan each."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import Conditions
from spendmeter.contracts.events import Context, UsageData
from spendmeter.pricing.conditions import STANDARD
from spendmeter.pricing.dearest import CallsWithin
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_book import PriceBook

ELSEWHERE = "?"
"""A tier, or a region, that no entry mentions."""


class AnyWay(Struct, frozen=True, kw_only=True):
    """How a call will be served, as far as that is stated; None = in whatever way."""

    service_tier: str | None = None
    region: str | None = None
    batch: bool | None = None


def plans(
    book: PriceBook, tenant: str, provider: str, sku: str, way: AnyWay, calls: CallsWithin
) -> list[Plan]:
    """The plans of all ways in which a call of these names may be served in the span, each once; of an
    unknown model one, for how it is served does not tell what it is."""
    found: dict[int, Plan] = {}
    data = UsageData(provider=provider, sku=sku, usage={}, context=_context(way))
    for instant in _instants(book, tenant, data, calls):
        first = book.plan(tenant, data, instant)
        found.setdefault(id(first), first)
        for context in _contexts(book, first, way) if first.sku else ():
            plan = book.plan(tenant, replace(data, context=context), instant)
            found.setdefault(id(plan), plan)
    return list(found.values())


def _context(way: AnyWay) -> Context:
    return Context(
        service_tier=way.service_tier or STANDARD, region=way.region or "", batch=way.batch or False
    )


def _instants(book: PriceBook, tenant: str, data: UsageData, calls: CallsWithin) -> list[datetime]:
    """The first, and each from which on other terms hold or the name means something else."""
    agreed = [terms.effective_from for terms in book.agreement(tenant).stated]
    starts = [calls.since, *(each for each in agreed if each and calls.since < each <= calls.until)]
    named: set[datetime] = set()
    for start in starts:
        instant = start
        while instant <= calls.until and instant not in named:
            named.add(instant)
            instant = book.planned(tenant, book.scope(tenant, instant), data, instant).until
    return sorted(named)


def _contexts(book: PriceBook, plan: Plan, way: AnyWay) -> Iterator[Context]:
    """The ways of serving that a price or factor of the model mentions, and one that none does."""
    mentions = list(_mentions(book, plan))
    tiers = {STANDARD, ELSEWHERE, *(tier for when in mentions for tier in when.tiers)}
    regions = {"", ELSEWHERE, *(region for when in mentions for region in when.regions)}
    for tier in sorted(tiers) if way.service_tier is None else [way.service_tier]:
        for region in sorted(regions) if way.region is None else [way.region]:
            for batch in (False, True) if way.batch is None else [way.batch]:
                yield Context(service_tier=tier, region=region, batch=batch)


def _mentions(book: PriceBook, plan: Plan) -> Iterator[Conditions]:
    seller = plan.provider or ""
    for price in book.lists.prices.get((seller, plan.sku or ""), ()):
        yield price.when
    for factor in book.lists.adjustments_of(seller, plan.reseller):
        if plan.is_about(factor):
            yield factor.when
