"""The price book: one version of the catalog, checked as a whole and compiled for pricing.

It is built from entries and never changes; what it remembers are plans (what may price a sku for a tenant and
a way of serving), within a bound. Building refuses whatever could price an event in two ways, naming both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime

from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    FxRate,
    Model,
    Price,
    PriceEntry,
    Provider,
    Spelling,
    TenantTerms,
)
from spendmeter.contracts.events import UsageData
from spendmeter.pricing import checks
from spendmeter.pricing.agreements import ANYBODY, Agreement, agreements
from spendmeter.pricing.conditions import STANDARD, CatalogError, Served
from spendmeter.pricing.directory import Directory, Meaning
from spendmeter.pricing.mentions import by_region
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_lists import PriceLists
from spendmeter.pricing.provisional import Provisional
from spendmeter.pricing.scope import Scope
from spendmeter.pricing.spellings import Spellings

PLANS_MAX = 20_000
"""Plans remembered at once: senders choose the names that they are kept by."""


class PriceBook:
    """`PriceBook(entries, version)`. Raises CatalogError, naming the entries and the rule they break."""

    def __init__(self, entries: Iterable[CatalogEntry], version: int = 0) -> None:
        self.version = version
        kinds = checks.by_kind(entries)
        parents, self.context_units = checks.units(kinds)
        self.bounds = checks.bounds(kinds)
        self.lists = _price_lists(kinds, parents)
        self.prices, self.models, self.parents = self.lists.prices, self.lists.models, parents
        self.providers = {each.provider.lower(): each for each in checks.unique(kinds, Provider, "provider")}
        self._directory = Directory(self.lists, self.providers)
        self._rates: dict[tuple[str, str], list[FxRate]] = defaultdict(list)
        for rate in checks.unique(kinds, FxRate, "base", "quote", "effective_from"):
            self._rates[rate.base, rate.quote].append(rate)
        for rates in self._rates.values():
            rates.sort(key=lambda rate: rate.effective_from)
        stated = checks.unique(kinds, TenantTerms, "tenant", "effective_from")
        self._agreements = agreements(stated, {entry.tenant for entry in self.lists.entries()})
        checks.price_lists(self.lists)
        self.spellings = Spellings(checks.of(kinds, Spelling))
        self._tiers = {tier for entry in self.lists.entries() for tier in entry.when.tiers} | {STANDARD}
        self._regions = {region for entry in self.lists.entries() for region in entry.when.regions}
        self.provisional = Provisional(self.lists)
        self._plans: dict[tuple[str, str, str, bool, str, str], Plan] = {}

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
        book._agreements, book._plans = {**self._agreements}, {}
        for tenant in tenants:
            book._agreements[tenant] = self.agreement(tenant).with_contracts(tenant, contracts)
        return book

    def entries(self, ids: Collection[str]) -> dict[str, CatalogEntry]:
        """Those of the prices, adjustments, rates and terms that have one of these ids."""
        kinds: list[Iterable[CatalogEntry]] = [each.stated for each in self._agreements.values()]
        kinds += [self.lists.entries(), *self._rates.values()]
        return {entry.id: entry for kind in kinds for entry in kind if entry.id in ids}

    def scope(self, tenant: str, time: datetime | None = None) -> Scope:
        """What of the book is for a tenant at an instant; None = by its last terms."""
        agreement = self.agreement(tenant)
        return agreement.latest if time is None else agreement.at(time)[1]

    def meaning(self, tenant: str, provider: str, sku: str, time: datetime | None = None) -> Meaning:
        """Whom and what the names of an event mean at an instant (None = by the tenant's last terms); '' = of
        anybody's."""
        return self._directory.meaning(provider, sku, self.scope(tenant, time))

    def served(self, tenant: str, data: UsageData, time: datetime | None = None) -> Served:
        """What served an event, as its provider's spellings read it."""
        claim = self.meaning(tenant, data.provider, data.sku, time).provider
        return self.spellings.served(claim.owner if claim else "", data.context)

    def sellers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices count for a provider's models: its own, then those of whom it resells."""
        return self._directory.sellers(provider)

    def plan(self, tenant: str, data: UsageData, time: datetime | None = None) -> Plan:
        """The plan for what a tenant used at an instant; None = by its last terms."""
        return self.plan_in(self.scope(tenant, time), data)

    def plan_in(self, scope: Scope, data: UsageData) -> Plan:
        """The plan for what an event used, in a scope."""
        context = data.context
        key = (data.provider, data.sku, context.service_tier, context.batch, context.region, scope.key)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            self._plans[key] = plan = self._new_plan(scope, data)
        return plan

    def _new_plan(self, scope: Scope, data: UsageData) -> Plan:
        """The plan of the sku that the names mean, where it has a price for those of the scope: one that is
        for another tenant alone makes nobody else's usage known."""
        claim, model, seller = self._directory.meaning(data.provider, data.sku, scope)
        provider = claim.owner if claim else None
        by = self._mentioned(self.spellings.served(provider or "", data.context))
        if model is None or not any(map(scope.includes, self.prices.get((seller, model.owner), ()))):
            name = data.sku.lower()
            return Plan(self.lists, provider=provider, sku=None, name=name, served=by, scope=scope)
        sku, note = model.owner, "" if seller == provider else f"price of {seller}, which {provider} resells"
        return Plan(self.lists, provider=seller, sku=sku, name=sku, served=by, scope=scope, note=note)

    def _mentioned(self, by: Served) -> Served:
        """What served, as far as some entry mentions it: the rest decides nothing, and a sender cannot make a
        thousand ways of serving."""
        tier = by.tier if by.tier in self._tiers else "?"
        group = by.group if by.group == "" or by.group in self._regions else None
        unknown = "" if by.is_anywhere else "?"
        return Served(by.batch, tier, by.region if by.region in self._regions else unknown, group)


def _price_lists(kinds: checks.Kinds, parents: Mapping[str, str | None]) -> PriceLists:
    prices: dict[tuple[str, str], list[Price]] = defaultdict(list)
    for price in checks.of(kinds, Price):
        prices[price.provider.lower(), price.sku.lower()].append(price)
    adjustments: dict[str, list[Adjustment]] = defaultdict(list)
    for adjustment in checks.of(kinds, Adjustment):
        adjustments[adjustment.provider.lower()].append(adjustment)
    models = checks.unique(kinds, Model, "provider", "sku")
    regional: dict[str, list[PriceEntry]] = defaultdict(list)
    stating: list[PriceEntry] = [*checks.of(kinds, Price), *checks.of(kinds, Adjustment)]
    for entry in stating:
        if entry.when.regions:
            regional[entry.provider.lower()].append(entry)
    return PriceLists(
        prices=dict(prices),
        adjustments=dict(adjustments),
        models={(model.provider.lower(), model.sku.lower()): model for model in models},
        parents=parents,
        calendars={each.name: each for each in checks.unique(kinds, CalendarEntry, "name")},
        regional={provider: by_region(theirs) for provider, theirs in regional.items()},
    )
