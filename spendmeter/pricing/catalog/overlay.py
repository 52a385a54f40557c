"""Corrections laid over the entries of a public catalog, whichever release of it that is.

A correction withdraws and restates the skus that it names as replaced, and adds whatever else it says. What
the public catalog states about the very same thing gives way, so that nothing is priced in two ways.
"""

from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from msgspec.structs import replace

from spendmeter.contracts.catalog import (
    CalendarEntry,
    CatalogEntry,
    Conditions,
    Model,
    Price,
    Provider,
    UnitEntry,
)
from spendmeter.pricing.catalog.corrections import Replaced, Rule
from spendmeter.pricing.conditions import Bounds, CatalogError, served_overlap, specificity


class PublicEntries:
    """What a public catalog says, by sku."""

    def __init__(self, entries: Iterable[CatalogEntry]) -> None:
        self.prices: dict[tuple[str, str], list[Price]] = defaultdict(list)
        self.models: dict[tuple[str, str], Model] = {}
        for entry in entries:
            if isinstance(entry, Price):
                self.prices[entry.provider.lower(), entry.sku.lower()].append(entry)
            elif isinstance(entry, Model):
                self.models[entry.provider.lower(), entry.sku.lower()] = entry

    def prices_of(self, rule: Rule, replaced: Replaced) -> list[Price]:
        """The public prices that a correction takes the place of."""
        key = rule.provider_of(replaced).lower(), replaced.sku.lower()
        return [p for p in self.prices.get(key, ()) if not replaced.units or p.unit in replaced.units]

    def said_of(self, rule: Rule, replaced: Replaced) -> str:
        """A digest of what is replaced, names and prices; of `units`, their prices alone. '' = nothing."""
        ids = {price.id for price in self.prices_of(rule, replaced)}
        model = self.models.get((rule.provider_of(replaced).lower(), replaced.sku.lower()))
        if model is not None and not replaced.units:
            ids.add(model.id)
        digest = blake2b(" ".join(sorted(ids)).encode(), digest_size=8).digest()
        return b32encode(digest).decode().rstrip("=").lower() if ids else ""


def lay_over(public: Sequence[CatalogEntry], rules: Sequence[Rule]) -> list[CatalogEntry]:
    """The entries of a public catalog with the corrections over them. Raises CatalogError where two
    corrections say the same, or replace the same."""
    if not rules:
        return list(public)
    said = PublicEntries(public)
    added = _added(said, rules)
    gone = {price.id for price in _replaced(said, rules)}
    things = {thing for entry in added.values() if (thing := thing_of(entry))}
    gone |= {entry.id for entry in public if thing_of(entry) in things}
    for entry in added.values():
        if isinstance(entry, Price):
            gone |= {price.id for price in rivals(said, entry)}
    return [*(entry for entry in public if entry.id not in gone and entry.id not in added), *added.values()]


def _added(said: PublicEntries, rules: Sequence[Rule]) -> dict[str, CatalogEntry]:
    """What the corrections state, by id; without the models that are a mere heading of prices, where the
    public catalog has their names."""
    added: dict[str, CatalogEntry] = {}
    for rule in rules:
        for entry in rule.entries:
            if isinstance(entry, Model) and is_heading(entry) and _key(entry) in said.models:
                continue
            if other := added.get(entry.id):
                raise CatalogError(f"{rule.key} says again what another says: {other.note}")
            added[entry.id] = entry
    return added


def _replaced(said: PublicEntries, rules: Sequence[Rule]) -> Iterator[Price]:
    by: dict[str, str] = {}
    for rule in rules:
        for replaced in rule.said.replaces:
            for price in said.prices_of(rule, replaced):
                if (other := by.setdefault(price.id, rule.key)) != rule.key:
                    raise CatalogError(f"{other} and {rule.key} both replace {price.provider}/{price.sku}")
                yield price


def is_heading(model: Model) -> bool:
    """Whether it says no more than which sku the prices below it are of."""
    return not (model.aliases or model.match or model.unless or model.family or model.retired)


def thing_of(entry: CatalogEntry) -> tuple[str, ...]:
    """What there may be one entry of: a model's names, a provider, a calendar, a unit; () = anything else."""
    match entry:
        case Model():
            return "model", *_key(entry)
        case Provider():
            return "provider", entry.provider.lower()
        case CalendarEntry():
            return "calendar", entry.name.lower()
        case UnitEntry():
            return "unit", entry.unit
        case _:
            return ()


def rivals(said: PublicEntries, price: Price) -> list[Price]:
    """The public prices that could price the same event as a correction's, neither being before the other.
    Whatever the hour: windows are not compared."""
    bounds = Bounds(_any_hour(price), {})
    return [
        other
        for other in said.prices.get(_key(price), ())
        if other.unit == price.unit
        and other.kind == price.kind
        and specificity(other.when) == specificity(price.when)
        and served_overlap(other.when, price.when)
        and Bounds(_any_hour(other), {}).overlaps(bounds)
    ]


def _any_hour(price: Price) -> Conditions:
    return replace(price.when, calendar="", windows=()) if price.when.windows else price.when


def _key(entry: Price | Model) -> tuple[str, str]:
    return entry.provider.lower(), entry.sku.lower()
