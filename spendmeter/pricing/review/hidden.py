"""Conditions that a correction would hide: what it replaces, or goes before, said more than it says itself.

A correction that withdraws a price list with batches, tiers, regions, hours, lengths or dates of its own, and
restates none of them, prices all of that by less than was known. It carries them, or says why not (`drops`).
"""

from collections.abc import Iterable, Iterator, Sequence

from spendmeter.contracts.catalog import Adjustment, Conditions, Price
from spendmeter.pricing.catalog.corrections import Rule
from spendmeter.pricing.catalog.overlay import PublicEntries, rivals
from spendmeter.pricing.conditions import served_overlap, specificity
from spendmeter.pricing.dates import hold_at_once
from spendmeter.pricing.plan import concerns


def hidden(rules: Sequence[Rule], said: PublicEntries) -> list[str]:
    """What corrections hide of a public catalog, in words, each with the correction's name. An adjustment
    carries a condition for every correction that it stands beside."""
    adjustments = [entry for rule in rules for entry in rule.entries if isinstance(entry, Adjustment)]
    return [
        f"{rule.key}: {reason}; carry it, or say why not (drops)"
        for rule in rules
        if not rule.said.drops
        for reason in dict.fromkeys([*_replaced(rule, said, adjustments), *_outranked(rule, said)])
    ]


def _replaced(rule: Rule, said: PublicEntries, adjustments: list[Adjustment]) -> Iterator[str]:
    for replaced in rule.said.replaces:
        name = f"{rule.provider_of(replaced)}/{replaced.sku}".lower()
        public, stated = said.prices_of(rule, replaced), _stated(rule, name)
        for unit in dict.fromkeys(price.unit for price in public):
            restated = [price.when for price in stated if price.unit == unit]
            if not restated:
                yield f"{name} has no price for {unit} any more"
                continue
            factors = [each.when for each in adjustments if _is_on(each, name, unit)]
            was = _facets(price.when for price in public if price.unit == unit)
            for facet in sorted(was - _facets([*restated, *factors])):
                yield f"{name} {unit} has no price for {facet} any more"


def _stated(rule: Rule, name: str) -> list[Price]:
    prices = [entry for entry in rule.entries if isinstance(entry, Price)]
    return [price for price in prices if f"{price.provider}/{price.sku}".lower() == name]


def _is_on(each: Adjustment, name: str, unit: str) -> bool:
    provider, _, sku = name.partition("/")
    return (
        each.provider.lower() == provider and (not each.units or unit in each.units) and concerns(each, sku)
    )


def _facets(conditions: Iterable[Conditions]) -> set[str]:
    """What conditions tell apart."""
    found = set()
    for when in conditions:
        found |= {"batches"} if when.batch is not None else set()
        found |= {f"tier {tier}" for tier in when.tiers}
        found |= {f"region {region!r}" for region in when.regions}
        found |= {"hours"} if when.windows else set()
        found |= {"context lengths"} if {when.context_min, when.context_max} != {None} else set()
        found |= {"dates"} if when.effective_from or when.effective_to else set()
    return found


def _outranked(rule: Rule, said: PublicEntries) -> Iterator[str]:
    """Hours and lengths of public prices that an added one, being for a batch, a tier or a region, goes
    before."""
    added = [entry for entry in rule.entries if isinstance(entry, Price)]
    for price in added:
        own = _facets(other.when for other in added if _alike(price, other))
        gone = {other.id for other in rivals(said, price)}
        for replaced in rule.said.replaces:
            gone |= {other.id for other in said.prices_of(rule, replaced)}
        for other in said.prices.get((price.provider.lower(), price.sku.lower()), ()):
            if other.id not in gone and other.unit == price.unit and _goes_before(price, other):
                for facet in sorted((_facets([other.when]) & {"hours", "context lengths"}) - own):
                    yield f"{price.provider}/{price.sku} {price.unit} goes before a price for {facet}"


def _alike(price: Price, other: Price) -> bool:
    """Whether they are for the same unit, served in the same way."""
    mine, others = price.when, other.when
    return (price.provider, price.sku, price.unit, mine.batch, mine.tiers, mine.regions) == (
        other.provider, other.sku, other.unit, others.batch, others.tiers, others.regions,
    )  # fmt: skip


def _goes_before(price: Price, other: Price) -> bool:
    mine, others = price.when, other.when
    return (
        specificity(mine) > specificity(others)
        and served_overlap(mine, others)
        and hold_at_once(mine, others)
    )
