"""What makes entries a book: nothing unknown, nothing twice, no event that two entries could price."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any, TypeVar, cast

from spendmeter.contracts.catalog import (
    ANY,
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    Entry,
    Price,
    PriceEntry,
    UnitEntry,
    Withdrawal,
)
from spendmeter.contracts.units import LATER_UNITS, UNITS
from spendmeter.pricing.conditions import Bounds, CatalogError, check_calendar, served_overlap, specificity
from spendmeter.pricing.patterns import may_meet, within
from spendmeter.pricing.price_lists import PriceLists
from spendmeter.pricing.scope import is_everybodys

Kinds = Mapping[type[Entry], list[Any]]
EVERYBODYS = frozenset({"unconfirmed", "public"})
"""Layers whose entries are no tenant's and no contract's."""
_E = TypeVar("_E", bound=Entry)


def by_kind(entries: Iterable[CatalogEntry]) -> Kinds:
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
        if unit.unit in UNITS and unit.unit not in LATER_UNITS:  # those an installation may have had before
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


def event_limits(kinds: Kinds) -> Mapping[str, tuple[int, datetime]]:
    """What one event may state of units that the catalog adds, where it says so, and since when."""
    return {
        unit.unit: (unit.per_event_max, unit.recorded_at)
        for unit in of(kinds, UnitEntry)
        if unit.per_event_max is not None
    }


def price_lists(lists: PriceLists) -> None:
    """Raises CatalogError where a calendar or an entry is malformed, or two could price or adjust the same
    event."""
    for calendar in lists.calendars.values():
        check_calendar(calendar)
    groups: list[Sequence[PriceEntry]] = [*lists.prices.values(), *lists.adjustments.values()]
    for entries in groups:
        rivals: dict[tuple[Any, ...], list[tuple[PriceEntry, Bounds]]] = defaultdict(list)
        for entry in entries:
            _check(entry, lists.parents)
            rivals[_rivals_in(entry)].append((entry, _bounds(entry, lists.calendars)))
        for alike in rivals.values():
            for (one, bounds), (other, others) in combinations(alike, 2):
                if _meet(one, other) and served_overlap(one.when, other.when) and bounds.overlaps(others):
                    raise CatalogError(
                        f"entries {one.id} and {other.id} overlap: {_both(one, other)} "
                        f"under conditions that can hold at once"
                    )


def _check(entry: PriceEntry, parents: Mapping[str, str | None]) -> None:
    if isinstance(entry, Price):
        if entry.unit not in parents:
            raise CatalogError(
                f"entry {entry.id}: unknown unit {entry.unit!r}; state it in a unit entry first"
            )
        if entry.maximum is not None and not Decimal(entry.minimum) <= Decimal(entry.maximum) > 0:
            raise CatalogError(
                f"entry {entry.id}: a maximum of {entry.maximum} is nothing, "
                f"or under the minimum, {entry.minimum}"
            )
    elif unknown := set(entry.units) - parents.keys():
        raise CatalogError(f"entry {entry.id}: unknown units {sorted(unknown)}")
    layer, named = entry.layer, not is_everybodys(entry)
    if layer == "unconfirmed" and not (isinstance(entry, Price) and entry.kind == "list"):
        raise CatalogError(f"entry {entry.id}: nothing but a list price may be {layer}")
    if (layer in EVERYBODYS and named) or (layer == "contract" and not named):
        raise CatalogError(
            f"entry {entry.id}: layer {layer} {'names a' if named else 'needs a'} tenant or contract"
        )
    if any(text != text.lower() for text in (*entry.when.tiers, *entry.when.regions)):
        raise CatalogError(f"entry {entry.id}: tiers and regions are lower case")


def _rivals_in(entry: PriceEntry) -> tuple[Any, ...]:
    """What two entries agree in of which neither ranks before the other."""
    audience = (entry.kind, entry.layer, entry.tenant, entry.contract, specificity(entry.when))
    if isinstance(entry, Price):
        return (entry.unit, *audience)
    return (entry.name, bool(entry.skus), bool(entry.units), *audience)


def _bounds(entry: PriceEntry, calendars: Mapping[str, CalendarEntry]) -> Bounds:
    if entry.when is ANY:
        return _ALWAYS
    try:
        return Bounds(entry.when, calendars)
    except CatalogError as error:
        raise CatalogError(f"entry {entry.id}: {error}") from None


_ALWAYS = Bounds(ANY, {})


def _meet(one: PriceEntry, other: PriceEntry) -> bool:
    """Whether two rivals may be about the same unit and sku."""
    if isinstance(one, Price) or isinstance(other, Price):
        return True
    if one.units and set(one.units).isdisjoint(other.units):
        return False
    if not one.skus:
        return True
    ours = [sku for sku in one.skus if not any(within(sku, spared) for spared in other.unless)]
    theirs = [sku for sku in other.skus if not any(within(sku, spared) for spared in one.unless)]
    return any(may_meet(mine, yours) for mine in ours for yours in theirs)


def _both(one: PriceEntry, other: PriceEntry) -> str:
    """What two rivals say, for people."""
    if isinstance(one, Price) and isinstance(other, Price):
        return f"{one.price} and {other.price} for {one.unit} of {one.provider}/{one.sku}"
    assert isinstance(one, Adjustment), "rivals are of one kind"
    return f"both adjust {one.name!r} of {one.provider}"
