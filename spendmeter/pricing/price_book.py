"""The price book: one version of the catalog, checked as a whole and compiled for pricing.

It is built from entries and never changes; what it remembers are plans (what may price a sku for a tenant and
a way of serving), within a bound. Building refuses whatever could price an event in two ways, naming both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from msgspec import structs

from spendmeter.contracts.catalog import (
    Adjustment,
    Alias,
    CalendarEntry,
    CatalogEntry,
    FxRate,
    Model,
    NameRule,
    PeriodTerm,
    Price,
    PriceEntry,
    Provider,
    Spelling,
    TenantTerms,
)
from spendmeter.contracts.events import UsageData
from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER
from spendmeter.pricing import checks
from spendmeter.pricing.agreements import ANYBODY, Agreement, agreements
from spendmeter.pricing.ceilings import Ceilings
from spendmeter.pricing.conditions import STANDARD, CatalogError, Served
from spendmeter.pricing.directory import Directory
from spendmeter.pricing.meaning import LATEST, Meaning, meaning
from spendmeter.pricing.memory import TenantMemory
from spendmeter.pricing.names import kind_of
from spendmeter.pricing.near import NO_BOUNDS, NameBounds, Near
from spendmeter.pricing.plan import Bounded, Plan
from spendmeter.pricing.price_lists import PriceLists, Sku, by_region
from spendmeter.pricing.provisional import Provisional
from spendmeter.pricing.scope import Scope
from spendmeter.pricing.spellings import Spellings

_Asked = tuple[str, str, str]
"""A provider's and a model's name as they were sent, and for whom."""
_Served = tuple[str, str, str, bool, str, str]
"""These, and how it was served, as that was sent."""
PLANS_MAX = 20_000
"""Plans of known models, at some 4 to 6 KB each; when there are as many, the older half goes."""
REMEMBERED_MAX = 20_000
"""Names, and ways of serving them, remembered at once for all tenants together: senders choose them."""


class Planned(NamedTuple):
    """The plan of a name as it was served, and when the name means that."""

    plan: Plan
    region: str
    """The region that the name says, in small letters; '' = the event says itself where, or nothing does."""
    tier: str
    """The tier that the name says; '' = the event says itself, or nothing does."""
    always: bool
    since: datetime
    until: datetime


class PriceBook:
    """`PriceBook(entries, version)`. Raises CatalogError, naming the entries and the rule they break."""

    def __init__(self, entries: Iterable[CatalogEntry], version: int = 0) -> None:
        self.version = version
        kinds = checks.by_kind(entries)
        parents, self.context_units = checks.units(kinds)
        self.event_limits = checks.event_limits(kinds)
        self.lists, self.unconfirmed = _price_lists(kinds, parents)
        self.prices, self.models, self.parents = self.lists.prices, self.lists.models, parents
        self.providers = {each.provider.lower(): each for each in checks.unique(kinds, Provider, "provider")}
        aliases, rules = checks.of(kinds, Alias), checks.of(kinds, NameRule)
        self._directory = Directory(self.lists, self.providers, aliases, rules, self.unconfirmed.prices)
        self._rates: dict[tuple[str, str], list[FxRate]] = defaultdict(list)
        for rate in checks.unique(kinds, FxRate, "base", "quote", "effective_from"):
            self._rates[rate.base, rate.quote].append(rate)
        for rates in self._rates.values():
            rates.sort(key=lambda rate: rate.effective_from)
        stated = checks.unique(kinds, TenantTerms, "tenant", "effective_from")
        self.period_terms = checks.of(kinds, PeriodTerm)
        own = {entry.tenant for entry in (*self.lists.entries(), *self.period_terms)}
        self._agreements = agreements(stated, own)
        checks.price_lists(self.lists)
        checks.price_lists(replace(self.unconfirmed, adjustments={}))
        self.spellings = Spellings(checks.of(kinds, Spelling))
        self._tiers = {tier for entry in self.lists.entries() for tier in entry.when.tiers} | {STANDARD}
        self._regions = {region for entry in self.lists.entries() for region in entry.when.regions}
        self.provisional = Provisional(self.lists)
        self.ceilings = Ceilings(self.lists, self.unconfirmed)
        self._forget()

    def _forget(self) -> None:
        """Begin with empty memories: README.md says what is in them."""
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._served: TenantMemory[_Served, Planned] = TenantMemory(REMEMBERED_MAX)
        self._meanings: TenantMemory[_Asked, list[Meaning]] = TenantMemory(REMEMBERED_MAX)

    def agreement(self, tenant: str) -> Agreement:
        """What is agreed with a tenant, through time."""
        return self._agreements.get(tenant, ANYBODY)

    def fx(self, base: str, quote: str, time: datetime) -> FxRate | None:
        """The rate of that instant; None = there was none yet."""
        rates = self.rates(base, quote)
        index = bisect_right(rates, time, key=lambda rate: rate.effective_from)
        return rates[index - 1] if index else None

    def rates(self, base: str, quote: str) -> Sequence[FxRate]:
        """All rates of a pair, the earliest first."""
        return self._rates.get((base, quote), [])

    def context_length(self, data: UsageData) -> int:
        """The tokens of an event that count toward the length of its context."""
        length = 0
        for unit, quantity in data.usage.items():
            if unit in self.context_units:
                length += quantity
        return length

    def with_contracts(self, tenants: Collection[str], contracts: tuple[str, ...]) -> PriceBook:
        """The same book, were these the contracts of these tenants at any time. Raises CatalogError for a
        contract that no entry is of."""
        if unknown := set(contracts) - {entry.contract for entry in self.lists.entries()}:
            raise CatalogError(f"no price and no adjustment is of contract {sorted(unknown)}")
        book = copy(self)
        book._agreements = {**self._agreements}
        book._forget()
        for tenant in tenants:
            book._agreements[tenant] = self.agreement(tenant).with_contracts(tenant, contracts)
        return book

    def entries(self, ids: Collection[str]) -> dict[str, CatalogEntry]:
        """Those of the prices, adjustments, rates and terms that have one of these ids."""
        kinds: list[Iterable[CatalogEntry]] = [each.stated for each in self._agreements.values()]
        kinds += [self.lists.entries(), *self.unconfirmed.prices.values(), *self._rates.values()]
        return {entry.id: entry for kind in kinds for entry in kind if entry.id in ids}

    def scope(self, tenant: str, time: datetime | None = None) -> Scope:
        """What of the book is for a tenant at an instant; None = by its last terms."""
        agreement = self.agreement(tenant)
        return agreement.latest if time is None else agreement.at(time)[1]

    def meaning(self, tenant: str, provider: str, sku: str, time: datetime | None = None) -> Meaning:
        """Whom and what the names of an event mean at an instant (None = by the tenant's last terms); '' = of
        anybody's."""
        return meaning(self._directory, provider, sku, self.scope(tenant, time), time)

    def is_unconfirmed(self, sku: Sku) -> bool:
        """Whether one public list alone has it."""
        return sku in self.unconfirmed.prices and self.meaning("", *sku).model is None

    def served(self, tenant: str, data: UsageData, time: datetime | None = None) -> Served:
        """What served an event, as its provider's spellings read it."""
        return self._served_at(self.meaning(tenant, data.provider, data.sku, time), data)

    def states_region(self, name: str) -> bool:
        """Whether some price or factor is for a region, or a group of them."""
        return name in self._regions

    def sellers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices may count for a provider's models: its own, and of whom it resells or passes on the
        prices."""
        its = (*self._directory.sellers(provider), *self._directory.makers(provider))
        return tuple(dict.fromkeys(its))

    def passes_on(self, provider: str, sku: str) -> bool:
        """Whether a provider sells what the name says at the price of its maker, where that is known."""
        return bool(self._directory.passes_on(provider.lower(), sku.lower())[0])

    def plan(self, tenant: str, data: UsageData, time: datetime | None = None) -> Plan:
        """The plan for what a tenant used at an instant; None = by its last terms."""
        return self.planned(tenant, self.scope(tenant, time), data, time or LATEST).plan

    def planned(self, tenant: str, scope: Scope, data: UsageData, time: datetime) -> Planned:
        """The plan for what a tenant used at an instant, in its scope of then."""
        context = data.context
        key = (data.provider, data.sku, context.service_tier, context.batch, context.region, scope.key)
        share = self._served.of_tenants.get(tenant)
        known = share.get(key) if share else None
        if known is not None and (known.always or known.since <= time < known.until):
            return known
        found = self._meaning(tenant, scope, data, time)
        by = self._served_at(found, data)
        always = found.since == SINCE_EVER and found.until == FOR_EVER
        region = "" if by.region == context.region.strip().lower() else by.region
        plan = self._plan_of(found, scope, data.sku, self._mentioned(by))
        known = Planned(plan, region, found.tier, always, found.since, found.until)
        self._served.remember(tenant, key, known)  # of a name that moved, the stretch of time met last
        return known

    def _meaning(self, tenant: str, scope: Scope, data: UsageData, time: datetime) -> Meaning:
        """What the names of an event mean at an instant, worked out once for the time in which they do."""
        key = (data.provider, data.sku, scope.key)
        known = self._meanings.recall(tenant, key, list)
        for each in known:
            if each.since <= time < each.until:
                return each
        known.append(found := meaning(self._directory, data.provider, data.sku, scope, time))
        return found

    def _plan_of(self, found: Meaning, scope: Scope, name: str, by: Served) -> Plan:
        """The plan of the sku that the names mean, where it has a price for those of the scope: one that is
        for another tenant alone makes nobody else's usage known."""
        provider = found.provider.owner if found.provider else None
        model, seller = found.model, found.seller
        if model and self.lists.has_price((seller, model.owner), scope):
            reseller = "" if seller == provider else provider or ""
            return self._plan(seller, model.owner, by, scope, reseller=reseller, sold_as=found.sold_as)
        return self._plan(provider, None, by, scope, kind=kind_of(name), bounds=found.bounds)

    def _served_at(self, found: Meaning, data: UsageData) -> Served:
        """What served an event whose names mean that: in the region that the name says, where the event says
        none; in the tier or batch that the name says, whatever the event says."""
        provider = found.provider.owner if found.provider else ""
        context = data.context
        if found.batch or found.tier:
            tier = found.tier or STANDARD
            context = structs.replace(context, batch=found.batch or context.batch, service_tier=tier)
        by = self.spellings.served(provider, context)
        if not found.region or not by.is_anywhere:
            return by
        return self.spellings.served(provider, structs.replace(context, region=found.region))

    def _plan(
        self,
        provider: str | None,
        sku: str | None,
        by: Served,
        scope: Scope,
        *,
        reseller: str = "",
        sold_as: str = "",
        unconfirmed: bool = False,
        kind: str = "",
        bounds: NameBounds = NO_BOUNDS,
    ) -> Plan:
        """The one plan of all names that mean the same, or are bounded by the same. A catalog has more ways
        to be served than memory holds: where that is full, the older half goes."""
        key = (provider, sku, by, scope.key, reseller, sold_as, unconfirmed, kind, bounds)
        plan = self._plans.get(key)
        if plan is None:
            near = [(self._near_plan(each, provider, by, scope), each.at_most) for each in bounds.near]
            known = tuple((each, at_most) for each, at_most in near if each)
            tiers = tuple(
                (cache(partial(self._near_plans, tier.skus, provider, by, scope)), tier.at_most)
                for tier in bounds.kin.tiers
            )
            elsewhere = cache(partial(self._elsewhere, bounds.near, provider, by, scope))
            plan = Plan(
                self.unconfirmed if unconfirmed else self.lists,
                provider=provider,
                sku=sku,
                name=sku or kind,
                served=by,
                scope=scope,
                reseller=reseller,
                sold_as=sold_as,
                bounded=Bounded(known, bounds.says, bounds.trust, bounds.kin.family, tiers, elsewhere),
            )
            if len(self._plans) >= PLANS_MAX:
                for old in list(self._plans)[: PLANS_MAX // 2]:
                    del self._plans[old]
            self._plans[key] = plan
        return plan

    def _near_plan(self, near: Near, provider: str | None, by: Served, scope: Scope) -> Plan | None:
        """The plan of a model that bounds one of a provider's; None = it has no price for those of the
        scope."""
        seller, sku = near.sku
        lists = self.unconfirmed if near.unconfirmed else self.lists
        if not lists.has_price(near.sku, scope):
            return None
        reseller = provider if provider and seller in self.sellers(provider)[1:] else ""
        return self._plan(seller, sku, by, scope, reseller=reseller, unconfirmed=near.unconfirmed)

    def _elsewhere(self, near: Sequence[Near], provider: str | None, by: Served, scope: Scope) -> list[Plan]:
        """Of whoever sells these models, by their names."""
        skus = self._directory.sold_as(each.sku[1] for each in near)
        return self._near_plans(skus, provider, by, scope)

    def _near_plans(self, skus: Iterable[Sku], provider: str | None, by: Served, scope: Scope) -> list[Plan]:
        """Of those that have a price for the scope."""
        plans = (self._near_plan(Near(sku, Decimal(1)), provider, by, scope) for sku in skus)
        return [plan for plan in plans if plan]

    def _mentioned(self, by: Served) -> Served:
        """What served, as far as some entry mentions it: the rest decides nothing, and a sender cannot make a
        thousand ways of serving."""
        tier = by.tier if by.tier in self._tiers else "?"
        group = by.group if by.group == "" or by.group in self._regions else None
        unknown = "" if by.is_anywhere else "?"
        return Served(by.batch, tier, by.region if by.region in self._regions else unknown, group)


def _price_lists(kinds: checks.Kinds, parents: Mapping[str, str | None]) -> tuple[PriceLists, PriceLists]:
    """What is charged; and what one public list alone says, which bounds a name and prices nothing."""
    prices: dict[Sku, list[Price]] = defaultdict(list)
    unconfirmed: dict[Sku, list[Price]] = defaultdict(list)
    adjustments: dict[str, list[Adjustment]] = defaultdict(list)
    regional: dict[str, list[PriceEntry]] = defaultdict(list)
    for price in checks.of(kinds, Price):
        provider, confirmed = price.provider.lower(), price.layer != "unconfirmed"
        (prices if confirmed else unconfirmed)[provider, price.sku.lower()].append(price)
        if price.when.regions and confirmed:
            regional[provider].append(price)
    for adjustment in checks.of(kinds, Adjustment):
        adjustments[adjustment.provider.lower()].append(adjustment)
        if adjustment.when.regions:
            regional[adjustment.provider.lower()].append(adjustment)
    models = checks.unique(kinds, Model, "provider", "sku")
    lists = PriceLists(
        prices=dict(prices),
        adjustments=dict(adjustments),
        models={(model.provider.lower(), model.sku.lower()): model for model in models},
        parents=parents,
        calendars={each.name: each for each in checks.unique(kinds, CalendarEntry, "name")},
        regional={provider: by_region(theirs) for provider, theirs in regional.items()},
    )
    return lists, replace(lists, prices=dict(unconfirmed))
