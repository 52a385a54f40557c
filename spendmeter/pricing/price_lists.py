"""The price lists of a book: what every seller charges, of which plans and bounds are made."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from spendmeter.contracts.catalog import Adjustment, CalendarEntry, Model, Price, PriceEntry
from spendmeter.pricing.dates import Span, joined, span_of
from spendmeter.pricing.scope import Scope, is_everybodys

Sku = tuple[str, str]
"""Provider and sku, lower case."""
G = TypeVar("G", bound=Hashable)


class ByRegion(NamedTuple):
    """When a provider charges by region: when a price or a factor of its that states regions is in force."""

    everybodys: tuple[Span, ...] = ()
    others: tuple[PriceEntry, ...] = ()
    """Of one tenant, or of a contract."""

    def spans(self, scope: Scope) -> tuple[Span, ...]:
        """As far as those of a scope know."""
        if not self.others:
            return self.everybodys
        theirs = [span_of(each.when) for each in self.others if scope.includes(each)]
        return joined([*self.everybodys, *theirs])


def by_region(entries: Sequence[PriceEntry]) -> ByRegion:
    """When one provider charges by region, by those of its prices and factors that state regions."""
    others = tuple(each for each in entries if not is_everybodys(each))
    return ByRegion(joined(span_of(each.when) for each in entries if is_everybodys(each)), others)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLists:
    """Prices by sku, adjustments by provider (lower case), and what they are read with."""

    prices: Mapping[Sku, Sequence[Price]]
    adjustments: Mapping[str, Sequence[Adjustment]]
    models: Mapping[Sku, Model]
    parents: Mapping[str, str | None]
    """Every unit that may be priced, and the unit whose price stands in for its own; None = none."""
    calendars: Mapping[str, CalendarEntry]
    regional: Mapping[str, ByRegion]
    """When each provider (lower case) charges by region; one that never does is not in it."""

    def has_price(self, sku: Sku, scope: Scope) -> bool:
        """Whether a sku has a price for those of a scope: a list may name a model without one."""
        return any(map(scope.includes, self.prices.get(sku, ())))

    def is_everybodys(self, sku: Sku) -> bool:
        """Whether some price of a sku is for whoever buys there."""
        return any(map(is_everybodys, self.prices.get(sku, ())))

    def grouped(self, groups_of: Callable[[Sku], Iterable[G]]) -> dict[G, list[Sku]]:
        """Everybody's skus by the groups that each is of, sorted; retired ones if a group has no others."""
        sold: dict[G, list[Sku]] = defaultdict(list)
        retired: dict[G, list[Sku]] = defaultdict(list)
        for sku in sorted(filter(self.is_everybodys, self.prices)):
            model = self.models.get(sku)
            for group in groups_of(sku):
                (retired if model and model.retired else sold)[group].append(sku)
        return {**retired, **sold}

    def lineage(self, unit: str) -> Iterator[str]:
        """A unit, its parent, that one's parent: whose price the unit takes, the nearest first. Nothing for
        what is no unit."""
        source = unit if unit in self.parents else None
        while source is not None:
            yield source
            source = self.parents[source]

    def adjustments_of(self, provider: str, reseller: str = "") -> Sequence[Adjustment]:
        """A provider's, after those of who resells its models ('' = it sells them itself)."""
        own = self.adjustments.get(provider, ())
        return [*self.adjustments.get(reseller, ()), *own] if reseller else own

    def covered_by(self, unit: str) -> frozenset[str]:
        """The unit, and all units of whose lineage it is."""
        return frozenset(each for each in self.parents if unit in self.lineage(each))

    def entries(self) -> Iterator[PriceEntry]:
        """All prices, then all adjustments."""
        for prices in self.prices.values():
            yield from prices
        for adjustments in self.adjustments.values():
            yield from adjustments

    def changes(self, skus: Iterable[Sku]) -> set[datetime]:
        """The instants at which a price or an adjustment of these begins or ends."""
        theirs = list(skus)
        entries: list[PriceEntry] = [price for sku in theirs for price in self.prices[sku]]
        for provider in {provider for provider, _ in theirs}:
            entries += self.adjustments.get(provider, ())
        limits = [(entry.when.effective_from, entry.when.effective_to) for entry in entries]
        return {instant for limit in limits for instant in limit if instant is not None}
