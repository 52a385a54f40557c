"""Whom and what the names of an event mean: the providers and models of a book by all their names."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from spendmeter.contracts.catalog import Model, Provider
from spendmeter.pricing.names import Claim, Names, model_claim, model_names, provider_names
from spendmeter.pricing.price_lists import PriceLists
from spendmeter.pricing.scope import Scope


class Meaning(NamedTuple):
    """What a provider's and a model's name mean; None = nobody's."""

    provider: Claim | None
    model: Claim | None
    seller: str
    """Whose price list knows the model: the provider, or one whose models it resells."""


class Directory:
    """`Directory(price lists, providers by lower-case name)`. Raises CatalogError for a name of two."""

    def __init__(self, lists: PriceLists, providers: Mapping[str, Provider]) -> None:
        self._lists, self._providers = lists, providers
        self._provider_names = provider_names(providers.values())
        self._private: dict[str, set[str]] = defaultdict(set)
        """Skus that nothing but prices of a tenant or a contract make known: to those who have them."""
        self._model_names = self._names_by_provider()

    def _names_by_provider(self) -> dict[str, Names]:
        by_provider: dict[str, list[Model]] = defaultdict(list)
        for (provider, _), model in self._lists.models.items():
            by_provider[provider].append(model)
        for provider, sku in self._lists.prices.keys() - self._lists.models.keys():
            public = (p for p in self._lists.prices[provider, sku] if not (p.tenant or p.contract))
            if first := next(public, None):  # a price is enough for a name to be known
                at = first.recorded_at
                model = Model(provider=provider, sku=sku, id=first.id, source="", recorded_at=at)
                by_provider[provider].append(model)
            else:
                self._private[provider].add(sku)
        return {provider: model_names(models) for provider, models in by_provider.items()}

    def meaning(self, provider: str, sku: str, scope: Scope) -> Meaning:
        """Whom and what the names mean to those of a scope."""
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
        private = self._private.get(provider, set())
        for name in private if sku is None else private & {sku}:
            for price in self._lists.prices[provider, name]:
                if scope.includes(price):
                    return Claim(name, name, price.id)
        return None

    def sellers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices count for a provider's models: its own, then those of whom it resells."""
        if provider is None:
            return ()
        known = self._providers.get(provider)
        return (provider, *(known.resells if known else ()))
