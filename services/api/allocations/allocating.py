"""What was booked, handed on by a plan: each amount goes out once, to a cost centre or as residual. Pure."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from services.api.allocations.plan import COSTS, CostPool, Driver, in_feeding_order
from services.api.allocations.sharing import in_units, of_units, places_of, shared_out, whole_weights
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.contracts.series import FOLDED

SUMS = ("list", "contracted", "effective", "of_which_provisional", "corrected")
"""Of a row, in this order; `corrected`: what of `effective` corrections have added or taken."""
_NOTHING = (0,) * len(SUMS)
Filter = tuple[tuple[str, str], ...]
"""A filter's names and values, in order."""


class CostLine(NamedTuple):
    """What a statement tells apart."""

    currency: str
    cost_class: str
    provider: str
    sku: str


_Columns = list[list[int]]
"""Of each of SUMS the units that the targets of a ratio have, in their order."""
_Held = dict[tuple[str, CostLine], list[int]]
"""Units that a pool has to hand on, by the pool whose cost they were and by line."""


class BookedSum(NamedTuple):
    """Sums of what was booked in a stretch with one value of the plan's dimension, and which filters let it
    through. `quantities`: of the units that drivers measure."""

    value: str
    line: CostLine
    within: frozenset[Filter]
    events: int
    unpriced_events: int
    amounts: Sequence[Decimal]


class DriverQuantity(NamedTuple):
    """How much of a unit was used, likewise."""

    value: str
    within: frozenset[Filter]
    unit: str
    quantity: Decimal


class Target(NamedTuple):
    """Where a part of a pool goes: in the order in which equal remainders are served."""

    kind: Literal["cost_centre", "pool", "residual"]
    name: str


RESIDUAL = Target("residual", "")


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How a pool's money of one currency is shared out: weights over `whole`, their sum. `because`: why there
    is a residual; '' = there is none."""

    weights: Mapping[Target, int]
    whole: int
    because: str
    below_zero: tuple[str, ...] = ()
    """Cost centres of which the driver measured less than nothing: they weigh nothing."""


class Share(NamedTuple):
    """What one target has of a pool. `source`: the pool whose cost it was, where that fed it; `line`: of
    which sku, with nothing but its currency where all are one."""

    target: Target
    pool: str
    source: str
    line: CostLine
    weight: int
    whole: int
    amounts: Sequence[Decimal]


@dataclass(kw_only=True)
class Allocated:
    """One stretch handed on. `direct`: what no pool took, as booked; `ratios`: by pool and currency."""

    direct: list[BookedSum] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    ratios: dict[tuple[str, str], Ratio] = field(default_factory=dict)
    pooled: list[tuple[str, BookedSum]] = field(default_factory=list)
    """What each pool took, by its name."""
    fed: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Effective cost that other pools handed to one, by pool and currency."""


def filter_of(scope: Mapping[str, str]) -> Filter:
    """A filter as rows name it."""
    return tuple(sorted(scope.items()))


def allocate(
    pools: Sequence[CostPool],
    booked: Iterable[BookedSum],
    quantities: Iterable[DriverQuantity],
    lines_of: str | None = None,
) -> Allocated:
    """Direct rows and shares together are `booked`, to the last digit, in each currency and each of SUMS.
    Shares of the cost centre `lines_of` are line by line; of others all lines of a pool are one."""
    found = Allocated()
    rows, used = list(booked), list(quantities)
    _sort_out(pools, rows, found)
    places = places_of(amount for _, row in found.pooled for amount in row.amounts)
    held: dict[str, _Held] = {pool.name: defaultdict(lambda: [*_NOTHING]) for pool in pools}
    for name, row in found.pooled:
        _add(held[name][name, row.line], [in_units(each, places) for each in row.amounts])
    for pool in (pools[place] for place in in_feeding_order(pools)):
        for currency in sorted({line.currency for _, line in held[pool.name]}):
            found.ratios[pool.name, currency] = _ratio(pool, currency, rows, used)
        found.shares.extend(_handed_on(pool.name, held, found, places, lines_of))
    return found


def _sort_out(pools: Sequence[CostPool], rows: Iterable[BookedSum], found: Allocated) -> None:
    """Of the pools whose filter lets a row through the first has it."""
    first = {filter_of(pool.filter): place for place, pool in reversed([*enumerate(pools)])}
    for row in rows:
        place = min((first[scope] for scope in row.within if scope in first), default=None)
        if place is None:
            found.direct.append(row)
        else:
            found.pooled.append((pools[place].name, row))


def _handed_on(
    pool: str,
    held: Mapping[str, _Held],
    found: Allocated,
    places: int,
    lines_of: str | None,
) -> Iterator[Share]:
    """The shares of all that a pool has; what it feeds other pools is added to what these have."""
    handed: dict[tuple[str, str], _Columns] = {}
    for (source, line), units in sorted(held[pool].items()):
        ratio = found.ratios[pool, line.currency]
        columns = _shared(units, ratio)
        before = handed.get((source, line.currency))
        handed[source, line.currency] = columns if before is None else _together(before, columns)
        for number, (target, weight) in enumerate(ratio.weights.items()):
            parts = [column[number] for column in columns]
            if target.kind == "pool":
                _add(held[target.name][source, line], parts)
                fed = of_units(parts[SUMS.index("effective")], places)
                key = target.name, line.currency
                found.fed[key] = EXACT.add(found.fed.get(key, ZERO), fed)
            elif target == ("cost_centre", lines_of):
                told = [of_units(each, places) for each in parts]
                yield Share(target, pool, source, line, weight, ratio.whole, told)
    for (source, currency), columns in handed.items():
        ratio, whole = found.ratios[pool, currency], CostLine(currency, "", "", "")
        for (target, weight), amounts in zip(ratio.weights.items(), _amounts(columns, places), strict=True):
            if target.kind != "pool" and target != ("cost_centre", lines_of):
                yield Share(target, pool, source, whole, weight, ratio.whole, amounts)


def _add(sums: list[int], units: Sequence[int]) -> None:
    sums[:] = map(operator.add, sums, units)


def _shared(units: Sequence[int], ratio: Ratio) -> _Columns:
    weights = list(ratio.weights.values())
    shared = {each: shared_out(each, weights) for each in set(units)}
    return [shared[each] for each in units]


def _together(columns: _Columns, others: _Columns) -> _Columns:
    return [[*map(operator.add, *both)] for both in zip(columns, others, strict=True)]


def _amounts(columns: _Columns, places: int) -> Iterable[Sequence[Decimal]]:
    """By target. Mostly list and effective are one amount, and the rest is nothing."""
    amounts: list[Sequence[Decimal]] = []
    for number, column in enumerate(columns):
        same = next((n for n in range(number) if columns[n] == column), None)
        amounts.append([of_units(each, places) for each in column] if same is None else amounts[same])
    return zip(*amounts, strict=True)


def _ratio(pool: CostPool, currency: str, rows: Sequence[BookedSum], used: Sequence[DriverQuantity]) -> Ratio:
    """The weights of a pool, in the order in which equal remainders are served."""
    weights: dict[Target, int] = {}
    rest, because = 0, ""
    below_zero: tuple[str, ...] = ()
    if pool.rule == "proportional":
        assert pool.driver is not None
        measured = _measured(pool.driver, currency, rows, used)
        if pool.among:
            measured = {name: each for name, each in measured.items() if name in pool.among}
        below_zero = tuple(sorted(name for name, each in measured.items() if each < 0))
        by_value = whole_weights(measured)
        rest = by_value.pop("", 0) + by_value.pop(FOLDED, 0)
        weights = {Target("cost_centre", name): weight for name, weight in by_value.items() if weight}
        because = "the driver measured some of it without a cost centre" if rest else ""
    elif pool.rule == "even":
        weights = {Target("cost_centre", name): 1 for name in pool.among or _active(rows)}
    else:
        weights = {Target("cost_centre", name): weight for name, weight in pool.weights.items()}
        weights |= {Target("pool", name): weight for name, weight in pool.pools.items()}
        if pool.rule == "fixed" and (rest := pool.parts - sum(weights.values())):
            because = "the rule leaves it"
    if not weights and not rest:
        rest, because = 1, "nobody was active" if pool.rule == "even" else "the driver measured nothing"
    ordered = dict(sorted(weights.items()))
    if rest:
        ordered[RESIDUAL] = rest
    whole = sum(ordered.values())
    return Ratio(weights=ordered, whole=whole, because=because, below_zero=below_zero)


def _measured(
    driver: Driver, currency: str, rows: Sequence[BookedSum], used: Sequence[DriverQuantity]
) -> dict[str, Decimal]:
    """By cost centre. Costs are of the currency that is shared out: no other is held against it."""
    scope, measured = filter_of(driver.filter), defaultdict[str, Decimal](lambda: ZERO)
    if driver.measure in COSTS or driver.measure == "events":
        for row in rows:
            if scope in row.within and (driver.measure == "events" or row.line.currency == currency):
                amount = (
                    Decimal(row.events)
                    if driver.measure == "events"
                    else row.amounts[SUMS.index(driver.measure)]
                )
                measured[row.value] = EXACT.add(measured[row.value], amount)
    else:
        for each in used:
            if each.unit == driver.measure and scope in each.within:
                measured[each.value] = EXACT.add(measured[each.value], each.quantity)
    return dict(measured)


def _active(rows: Sequence[BookedSum]) -> list[str]:
    """Cost centres of which some event counts."""
    events = defaultdict[str, int](int)
    for row in rows:
        events[row.value] += row.events
    return sorted(value for value, count in events.items() if count > 0 and value not in ("", FOLDED))
