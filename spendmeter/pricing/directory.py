"""The names of a book as its entries state them: whom they mean at a seller, and the rules of names. What a
name means that nobody states, `meaning.py` finds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType

from spendmeter.contracts.catalog import Alias, Model, NameRule, Price, Provider
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.contained import Contained
from spendmeter.pricing.dates import holds, one_at_a_time
from spendmeter.pricing.name_rules import CompiledRule, NameRules, NameStep
from spendmeter.pricing.names import Claim, Names, matches_any, model_names, provider_names
from spendmeter.pricing.price_lists import PriceLists, Sku
from spendmeter.pricing.scope import Scope, is_everybodys
from spendmeter.pricing.siblings import Siblings


class Directory:
    """`Directory(price lists, providers by lower-case name, aliases, rules)`. Raises CatalogError for a name
    of two."""

    def __init__(
        self,
        lists: PriceLists,
        providers: Mapping[str, Provider],
        aliases: Iterable[Alias] = (),
        rules: Iterable[NameRule] = (),
        unconfirmed: Mapping[Sku, Sequence[Price]] = MappingProxyType({}),
    ) -> None:
        self._lists, self._providers, self._unconfirmed = lists, providers, unconfirmed
        self._provider_names = provider_names(providers.values())
        self._private: dict[str, set[str]] = defaultdict(set)
        """Skus that nothing but prices of a tenant or a contract make known: to those who have them."""
        self._stated_here = {
            sku
            for sku, prices in lists.prices.items()
            if all(each.layer == "organisation" and is_everybodys(each) for each in prices)
        }
        """Skus that an organisation alone states, for everybody: what one tenant is charged says nothing of
        how a name reads."""
        self._model_names = self._names_by_provider()
        self._aliases = _by_name(aliases)
        self._rules = NameRules(rules)

    def _names_by_provider(self) -> dict[str, Names]:
        by_provider: dict[str, list[Model]] = defaultdict(list)
        for (provider, _), model in self._lists.models.items():
            by_provider[provider].append(model)
        for provider, sku in self._lists.prices.keys() - self._lists.models.keys():
            first = next(filter(is_everybodys, self._lists.prices[provider, sku]), None)
            if first:  # a price is enough for a name to be known
                at = first.recorded_at
                model = Model(provider=provider, sku=sku, id=first.id, source="", recorded_at=at)
                by_provider[provider].append(model)
            else:
                self._private[provider].add(sku)
        return {provider: model_names(models) for provider, models in by_provider.items()}

    @cached_property
    def contained(self) -> Contained:
        """Made when the first unknown name comes: most processes that ask a price need none."""
        return Contained(
            (text, (seller, owner))
            for seller, names in sorted(self._model_names.items())
            for text, owner in names.texts()
            if self._lists.is_everybodys((seller, owner))
        )

    def sold_as(self, names: Iterable[str]) -> list[Sku]:
        """What anybody sells by the names that stand in these."""
        spoken = (each for name in names for each in self.contained.spoken_of(name, ()))
        return sorted({sku for each in spoken for sku in each.skus})

    @cached_property
    def siblings(self) -> Siblings:
        """Made as `contained` is."""
        return Siblings(self._lists)

    def provider(self, name: str, scope: Scope, time: datetime) -> tuple[Claim | None, tuple[NameStep, ...]]:
        """Whom a name means: exactly, by a rule of names, by a match; or who has prices and no names."""
        if claim := self._provider_names.exactly(name):
            return claim, ()
        step = self._rules.provider(name, time)
        if step and (claim := self._provider_names.exactly(step.name)):
            return claim, (step,)
        claim = self._provider_names.like(name)
        if claim is None and (name in self._model_names or self._own(name, None, scope)):
            claim = Claim(name, name, "")
        return claim, ()

    def dated_provider_rules(self, name: str) -> Iterator[NameRule]:
        """The rules of providers that read a name at some times alone."""
        return self._rules.dated_of_provider(name)

    def exact(self, seller: str, name: str, scope: Scope, time: datetime) -> Claim | None:
        """Whose name it is at a seller, as the tenant's own price, a dated alias or a model states it."""
        if own := self._own(seller, name, scope):
            return own
        for alias in self.aliases(seller, name):
            if holds(alias, time):
                return Claim(alias.sku.lower(), name, alias.id)
        names = self._model_names.get(seller)
        return names.exactly(name) if names else None

    def match(self, seller: str, name: str) -> tuple[Claim | None, bool]:
        """Whose match takes the name at a seller, and whether that alone says which model it is: it leaves
        nothing open, or an organisation states it of its own model."""
        names = self._model_names.get(seller)
        claim = names.like(name) if names else None
        if claim is None:
            return None, False
        closed = "*" not in claim.by or claim.by.replace("*", "") == name
        return claim, closed or (seller, claim.owner) in self._stated_here

    def has_price(self, sku: Sku, scope: Scope) -> bool:
        """Whether a sku has a price for those of a scope: a list may name a model without one."""
        return self._lists.has_price(sku, scope)

    def unconfirmed(self, seller: str, name: str) -> str:
        """The one public list that has prices of a seller's model; '' = no such name, or nothing but that."""
        stated = self._unconfirmed.get((seller, name))
        return stated[0].source if stated else ""

    def passes_on(self, seller: str, name: str) -> tuple[str, str]:
        """The maker that a name writes, and what stands behind, where the seller passes on the maker's price;
        '' = it prices the name itself."""
        known = self._providers.get(seller)
        if known is None or not matches_any(known.passes_on, name) or matches_any(known.unless, name):
            return "", name
        maker, _, model = name.partition("/")
        return maker, model

    def keeps(self, seller: str, sku: str) -> bool:
        """Whether a seller that passes on its maker's prices says that it has one of its own for a sku."""
        known = self._providers.get(seller)
        return known is not None and matches_any(known.unless, sku)

    def is_everybodys(self, seller: str, sku: str) -> bool:
        """Whether some price of it is for whoever buys there; of a book without prices, whoever knows."""
        return not self._lists.prices or self._lists.is_everybodys((seller, sku))

    def agreed(self, seller: str, sku: str, scope: Scope) -> Iterator[Price]:
        """The prices of a seller's sku that those of a scope, or an organisation, state as their own."""
        prices = self._lists.prices.get((seller, sku), ())
        return (price for price in prices if price.layer != "public" and scope.includes(price))

    def _own(self, provider: str, sku: str | None, scope: Scope) -> Claim | None:
        """A sku (None = any) that is known to the scope alone."""
        private = self._private.get(provider, set())
        for name in private if sku is None else private & {sku}:
            for price in self._lists.prices[provider, name]:
                if scope.includes(price):
                    return Claim(name, name, price.id)
        return None

    def aliases(self, seller: str, name: str) -> Sequence[Alias]:
        """What a name means and meant at a seller, the earliest first."""
        return self._aliases.get((seller, name), ())

    def rules(self, sellers: tuple[str, ...]) -> tuple[CompiledRule, ...]:
        """The rules for names that one of these providers gives its models."""
        return self._rules.of_models(sellers)

    def sellers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices count for a provider's models: its own, then those of whom it resells."""
        if provider is None:
            return ()
        known = self._providers.get(provider)
        return (provider, *(known.resells if known else ()))

    def makers(self, provider: str | None) -> tuple[str, ...]:
        """Whose prices a provider passes on, whatever its own list says."""
        known = self._providers.get(provider or "")
        return tuple(known.makers) if known else ()


def _by_name(aliases: Iterable[Alias]) -> dict[tuple[str, str], list[Alias]]:
    """The aliases of each name of each seller, the earliest first. Raises CatalogError where two hold."""
    return one_at_a_time(
        aliases,
        about=lambda alias: (alias.provider.lower(), alias.name.lower()),
        refuse=lambda one, other: CatalogError(
            f"entries {one.id} and {other.id} both say what {other.name!r} of {other.provider} "
            "means at one time"
        ),
    )
