"""The price book: one version of the catalog, checked as a whole and compiled for pricing.

It is built from entries and never changes; what it remembers are plans (what may price a sku for a tenant and
a way of serving), within a bound. Building refuses whatever could price an event in two ways, naming both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    FxRate,
    Model,
    Price,
    Provider,
    TenantTerms,
)
from spendmeter.contracts.events import UsageData
from spendmeter.pricing import checks
from spendmeter.pricing.agreements import Agreement
from spendmeter.pricing.conditions import CatalogError, Served, check_calendar, served
from spendmeter.pricing.names import Claim, Names, model_claim, model_names, provider_names
from spendmeter.pricing.plan import Plan, Scope
from spendmeter.pricing.provisional import Provisional

PLANS_MAX = 20_000
"""Plans remembered at once: senders choose the names that they are kept by."""
ANYBODY = Agreement("", ())
"""What is agreed with a tenant that the catalog does not mention."""


class Meaning(NamedTuple):
    """What a provider's and a model's name mean; None = nobody's."""

    provider: Claim | None
    model: Claim | None
    seller: str
    """Whose price list knows the model: the provider, or one whose models it resells."""


class PriceBook:
    """`PriceBook(entries, version)`. Raises CatalogError, naming the entries and the rule they break."""

    def __init__(self, entries: Iterable[CatalogEntry], version: int = 0) -> None:
        self.version = version
        kinds = checks.in_force(entries)
        self.parents, self.context_units = checks.units(kinds)
        self.bounds = checks.bounds(kinds)
        self.calendars = {calendar.name: calendar for calendar in checks.unique(kinds, CalendarEntry, "name")}
        for calendar in self.calendars.values():
            check_calendar(calendar)
        stated = checks.unique(kinds, TenantTerms, "tenant", "effective_from")
        self.providers = {each.provider.lower(): each for each in checks.unique(kinds, Provider, "provider")}
        self._provider_names = provider_names(self.providers.values())
        self.models = {
            (model.provider.lower(), model.sku.lower()): model
            for model in checks.unique(kinds, Model, "provider", "sku")
        }
        self.prices: dict[tuple[str, str], list[Price]] = defaultdict(list)
        for price in checks.of(kinds, Price):
            self.prices[price.provider.lower(), price.sku.lower()].append(price)
        self._private: dict[str, dict[str, None]] = defaultdict(dict)
        """Names that nothing but prices of a tenant or a contract make known: to those who have them."""
        self._model_names = self._named()
        self.adjustments: dict[str, list[Adjustment]] = defaultdict(list)
        for adjustment in checks.of(kinds, Adjustment):
            self.adjustments[adjustment.provider.lower()].append(adjustment)
        self._rates: dict[tuple[str, str], list[FxRate]] = defaultdict(list)
        for rate in checks.unique(kinds, FxRate, "base", "quote", "effective_from"):
            self._rates[rate.base, rate.quote].append(rate)
        for rates in self._rates.values():
            rates.sort(key=lambda rate: rate.effective_from)
        checks.prices(self.prices.values(), self.parents, self.calendars)
        checks.adjustments(self.adjustments.values(), self.parents, self.calendars)

        priced: list[Price | Adjustment] = [*checks.of(kinds, Price), *checks.of(kinds, Adjustment)]
        self._tiers = {tier for entry in priced for tier in entry.when.tiers}
        self._regions = {region for entry in priced for region in entry.when.regions}
        theirs = {entry.tenant for entry in priced}
        self._agreements = {
            tenant: Agreement(
                tenant if tenant in theirs else "", [terms for terms in stated if terms.tenant == tenant]
            )
            for tenant in theirs | {terms.tenant for terms in stated}
        }
        self.provisional = Provisional(self)
        self._plans: dict[tuple[str, str, str, bool, str, str], Plan] = {}

    def _named(self) -> dict[str, Names]:
        by_provider: dict[str, list[Model]] = defaultdict(list)
        for (provider, _), model in self.models.items():
            by_provider[provider].append(model)
        for provider, sku in self.prices.keys() - self.models.keys():
            first = next((each for each in self.prices[provider, sku] if not _private(each)), None)
            if first is None:
                self._private[provider][sku] = None
                continue
            model = Model(provider=provider, sku=sku, id=first.id, source="", recorded_at=first.recorded_at)
            by_provider[provider].append(model)  # a price is enough for a name to be known
        return {provider: model_names(models) for provider, models in by_provider.items()}

    def agreement(self, tenant: str) -> Agreement:
        """What is agreed with a tenant, through time."""
        return self._agreements.get(tenant, ANYBODY)

    def fx(self, base: str, quote: str, time: datetime) -> FxRate | None:
        """The rate of that instant; None = there was none yet."""
        rates = self._rates.get((base, quote), [])
        index = bisect_right(rates, time, key=lambda rate: rate.effective_from)
        return rates[index - 1] if index else None

    def rates(self, base: str, quote: str) -> Sequence[FxRate]:
        """All rates of a pair, the earliest first."""
        return self._rates.get((base, quote), [])

    def with_contracts(self, tenants: Collection[str], contracts: tuple[str, ...]) -> PriceBook:
        """The same book, were these the contracts of these tenants at any time. Raises CatalogError for a
        contract that no entry is of."""
        groups: list[Iterable[Price | Adjustment]] = [*self.prices.values(), *self.adjustments.values()]
        if unknown := set(contracts) - {entry.contract for group in groups for entry in group}:
            raise CatalogError(f"no price and no adjustment is of contract {sorted(unknown)}")
        book = copy(self)
        book._agreements, book._plans = {**self._agreements}, {}
        for tenant in tenants:
            book._agreements[tenant] = self.agreement(tenant).with_contracts(tenant, contracts)
        return book

    def entries(self, ids: Collection[str]) -> dict[str, CatalogEntry]:
        """Those of the prices, adjustments, rates and terms that have one of these ids."""
        kinds: list[Iterable[CatalogEntry]] = [each.stated for each in self._agreements.values()]
        kinds += [*self.prices.values(), *self.adjustments.values(), *self._rates.values()]
        return {entry.id: entry for kind in kinds for entry in kind if entry.id in ids}

    def scope(self, tenant: str, time: datetime | None = None) -> Scope:
        """What of the book is for a tenant at an instant; None = by its last terms."""
        agreement = self.agreement(tenant)
        return agreement.latest if time is None else agreement.at(time)[1]

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
            self._plans[key] = plan = self._found(data, scope)
        return plan

    def _found(self, data: UsageData, scope: Scope) -> Plan:
        batch, tier, region = served(data.context)
        # What no entry mentions decides nothing: a sender cannot make a thousand ways of serving.
        by = (
            batch,
            tier if tier in self._tiers or tier == "standard" else "?",
            region if region in self._regions else "?",
        )
        named, model, seller = self._meaning(data.provider, data.sku, scope)
        provider = named.owner if named else None
        # A price that is for another tenant alone makes nobody else's usage known.
        if model and any(scope.rank(each) is not None for each in self.prices.get((seller, model.owner), ())):
            note = "" if seller == provider else f"price of {seller}, which {provider} resells"
            return self.plan_of(seller, model.owner, by, scope, note)
        return Plan(
            provider=provider, sku=None, name=data.sku.lower(), served=by, scope=scope, prices=(),
            adjustments=(), parents=self.parents, calendars=self.calendars,
        )  # fmt: skip

    def meaning(self, tenant: str, provider: str, sku: str, time: datetime | None = None) -> Meaning:
        """Whom and what the names of an event mean at an instant (None = by the tenant's last terms); '' = of
        anybody's."""
        return self._meaning(provider, sku, self.scope(tenant, time))

    def _meaning(self, provider: str, sku: str, scope: Scope) -> Meaning:
        name = provider.lower()
        claim = self._provider_names.claim(name)
        if claim is None and (name in self._model_names or self._own(name, None, scope)):
            claim = Claim(name, name, "")
        for seller in self.sellers(claim.owner if claim else None):
            model = self._own(seller, sku.lower(), scope)
            if model is None and seller in self._model_names:
                model = model_claim(self._model_names[seller], sku)
            if model is not None:
                return Meaning(claim, model, seller)
        return Meaning(claim, None, "")

    def _own(self, provider: str, sku: str | None, scope: Scope) -> Claim | None:
        """A sku (None = any) that is known to the scope alone."""
        private = self._private.get(provider, {})
        for name in private if sku is None else private.keys() & {sku}:
            for price in self.prices[provider, name]:
                if scope.rank(price) is not None:
                    return Claim(name, name, price.id)
        return None

    def sellers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices count for a provider's models: its own, then those of whom it resells."""
        if provider is None:
            return ()
        known = self.providers.get(provider)
        return (provider, *(known.resells if known else ()))

    def plan_of(self, provider: str, sku: str, by: Served, scope: Scope, note: str = "") -> Plan:
        """The plan of a sku that is known to have prices; not remembered."""
        return Plan(
            provider=provider, sku=sku, name=sku, served=by, scope=scope, prices=self.prices[provider, sku],
            adjustments=self.adjustments.get(provider, ()), parents=self.parents, calendars=self.calendars,
            note=note,
        )  # fmt: skip

    def changes(self, provider: str, skus: Iterable[str]) -> set[datetime]:
        """The instants at which a price or an adjustment of these begins or ends."""
        entries: list[Price | Adjustment] = [*self.adjustments.get(provider, ())]
        for sku in skus:
            entries += self.prices[provider, sku]
        limits = [(entry.when.effective_from, entry.when.effective_to) for entry in entries]
        return {instant for limit in limits for instant in limit if instant is not None}


def _private(price: Price) -> bool:
    """Whether it is not everybody's."""
    return bool(price.tenant or price.contract)
