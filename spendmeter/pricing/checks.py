"""What makes entries a book: nothing unknown, nothing twice, no event that two entries could price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import combinations
from typing import Any, TypeVar, cast

from spendmeter.contracts.catalog import (
    ANY,
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    Entry,
    Price,
    UnitEntry,
    Withdrawal,
)
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.conditions import Bounds, CatalogError, served_overlap, specificity

Kinds = Mapping[type[Entry], list[Any]]
_E = TypeVar("_E", bound=Entry)


def in_force(entries: Iterable[CatalogEntry]) -> Kinds:
    """The entries that are not withdrawn, by kind, in the order of their ids."""
    by_id: dict[str, CatalogEntry] = {}
    for entry in entries:
        if not entry.id or by_id.setdefault(entry.id, entry) is not entry:
            raise CatalogError(f"entry {entry.id!r} has no id, or one that another has: {entry}")
    withdrawn: set[str] = set()
    for withdrawal in [entry for entry in by_id.values() if isinstance(entry, Withdrawal)]:
        if unknown := set(withdrawal.entries) - by_id.keys():
            raise CatalogError(f"withdrawal {withdrawal.id} names {sorted(unknown)}, not in the book")
        withdrawn.update(withdrawal.entries)
    kinds: dict[type[Entry], list[Any]] = defaultdict(list)
    for _, entry in sorted(by_id.items()):
        if entry.id not in withdrawn:
            kinds[type(entry)].append(entry)
    return kinds


def of(kinds: Kinds, kind: type[_E]) -> list[_E]:
    """The entries of one kind."""
    return cast(list[_E], kinds.get(kind, []))


def unique(kinds: Kinds, kind: type[_E], *fields: str) -> list[_E]:
    """The entries of one kind, of which no two agree in `fields` (letter case apart)."""
    seen: dict[tuple[Any, ...], _E] = {}
    for entry in of(kinds, kind):
        values = [getattr(entry, field) for field in fields]
        key = tuple(value.lower() if isinstance(value, str) else value for value in values)
        if (other := seen.setdefault(key, entry)) is not entry:
            names = ", ".join(map(str, values))
            raise CatalogError(f"entries {other.id} and {entry.id} are both the {kind.__name__} of {names}")
    return list(seen.values())


def units(kinds: Kinds) -> tuple[Mapping[str, str | None], frozenset[str]]:
    """Every unit with its parent, and the units that count toward the context length."""
    parents = {name: unit.parent for name, unit in UNITS.items()}
    context = {name for name, unit in UNITS.items() if unit.context}
    for unit in unique(kinds, UnitEntry, "unit"):
        if unit.unit in UNITS:
            raise CatalogError(f"entry {unit.id} redefines the unit {unit.unit}")
        parents[unit.unit] = unit.parent
        context |= {unit.unit} if unit.context else set()
    for name in parents:
        line = [name]
        while (parent := parents[line[-1]]) is not None:
            if parent not in parents or parent in line:
                raise CatalogError(f"the parents of unit {name} are unknown or a circle: {[*line, parent]}")
            line.append(parent)
    return parents, frozenset(context)


def bounds(kinds: Kinds) -> Mapping[str, tuple[int, datetime]]:
    """What one event may state of units that the catalog adds, where it says so, and since when."""
    return {
        unit.unit: (unit.per_event_max, unit.recorded_at)
        for unit in of(kinds, UnitEntry)
        if unit.per_event_max is not None
    }


def prices(
    by_sku: Iterable[list[Price]], parents: Mapping[str, str | None], calendars: Mapping[str, CalendarEntry]
) -> None:
    """Raises CatalogError where a price is malformed or two could price the same event."""
    for group in by_sku:
        rivals: dict[Any, list[tuple[Price, Bounds]]] = defaultdict(list)
        for price in group:
            _check_price(price, parents)
            key = (price.unit, price.kind, price.layer, price.tenant, price.contract, specificity(price.when))
            rivals[key].append((price, _bounds(price, calendars)))
        for alike in rivals.values():
            for (one, bounds), (other, others) in combinations(alike, 2):
                if served_overlap(one.when, other.when) and bounds.overlaps(others):
                    raise CatalogError(
                        f"entries {one.id} and {other.id} overlap: {one.price} and {other.price} for "
                        f"{one.unit} of {one.provider}/{one.sku} under conditions that can hold at once"
                    )


def _check_price(price: Price, parents: Mapping[str, str | None]) -> None:
    if price.unit not in parents:
        raise CatalogError(f"entry {price.id}: unknown unit {price.unit!r}; state it in a unit entry first")
    _check_layer(price)


def _check_layer(entry: Price | Adjustment) -> None:
    layer, named = entry.layer, bool(entry.tenant or entry.contract)
    if (layer == "public" and named) or (layer == "contract" and not named):
        raise CatalogError(
            f"entry {entry.id}: layer {layer} {'names a' if named else 'needs a'} tenant or contract"
        )
    if any(text != text.lower() for text in (*entry.when.tiers, *entry.when.regions)):
        raise CatalogError(f"entry {entry.id}: tiers and regions are lower case")


def _bounds(entry: Price | Adjustment, calendars: Mapping[str, CalendarEntry]) -> Bounds:
    if entry.when is ANY:
        return _ALWAYS
    try:
        return Bounds(entry.when, calendars)
    except CatalogError as error:
        raise CatalogError(f"entry {entry.id}: {error}") from None


_ALWAYS = Bounds(ANY, {})


def adjustments(
    by_provider: Iterable[list[Adjustment]],
    parents: Mapping[str, str | None],
    calendars: Mapping[str, CalendarEntry],
) -> None:
    """Raises CatalogError where an adjustment is malformed, or two of one name could apply at once."""
    for group in by_provider:
        rivals: dict[Any, list[tuple[Adjustment, Bounds]]] = defaultdict(list)
        for entry in group:
            _check_layer(entry)
            if unknown := set(entry.units) - parents.keys():
                raise CatalogError(f"entry {entry.id}: unknown units {sorted(unknown)}")
            breadth = (bool(entry.skus), bool(entry.units), specificity(entry.when))
            key = (entry.name, entry.kind, entry.layer, entry.tenant, entry.contract, breadth)
            rivals[key].append((entry, _bounds(entry, calendars)))
        for alike in rivals.values():
            for (one, bounds), (other, others) in combinations(alike, 2):
                if (
                    _may_meet(one.skus, other.skus)
                    and (not one.units or not set(one.units).isdisjoint(other.units))
                    and served_overlap(one.when, other.when)
                    and bounds.overlaps(others)
                ):
                    raise CatalogError(
                        f"entries {one.id} and {other.id} overlap: both adjust {one.name!r} of "
                        f"{one.provider} under conditions that can hold at once"
                    )


def _may_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two lists of matches may mean the same name; any with a placeholder is taken to."""
    if not one or any(sign in match for match in (*one, *other) for sign in "*#"):
        return True
    return not set(one).isdisjoint(other)
