"""What causes are held against: the rule that alerts had, and explanatory power with surprise (Adtributor)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log

from services.alerts.cause.leaves import Leaf

NAME_SHARE = 0.8
POWER_OF_VALUE_MIN = 0.1
POWER_OF_DIMENSION_MIN = 0.67

_Sides = dict[str, list[float]]


def first_dimension(leaves: Sequence[Leaf], dimensions: Sequence[str]) -> list[Mapping[str, str]]:
    """The first dimension in a fixed order of which one value holds 80 % of the excess."""
    whole = sum(float(leaf.excess) for leaf in leaves)
    for place, dimension in enumerate(dimensions):
        for value, (actual, expected) in _by_value(leaves, place).items():
            if actual - expected >= NAME_SHARE * whole:
                return [{dimension: value}]
    return []


def surprising_dimension(leaves: Sequence[Leaf], dimensions: Sequence[str]) -> list[Mapping[str, str]]:
    """The dimension of which a few values explain two thirds of the change, and whose shares changed most."""
    actual_sum = sum(float(leaf.actual) for leaf in leaves)
    expected_sum = sum(float(leaf.expected) for leaf in leaves)
    whole = actual_sum - expected_sum
    best: tuple[float, list[Mapping[str, str]]] = (0.0, [])
    for place, dimension in enumerate(dimensions):
        values = [
            (_surprise(expected / expected_sum, actual / actual_sum), (actual - expected) / whole, value)
            for value, (actual, expected) in _by_value(leaves, place).items()
        ]
        power, surprise, chosen = 0.0, 0.0, list[Mapping[str, str]]()
        for of_value, explains, value in sorted(values, reverse=True):
            if explains > POWER_OF_VALUE_MIN:
                power, surprise = power + explains, surprise + of_value
                chosen.append({dimension: value})
            if power > POWER_OF_DIMENSION_MIN:
                best = max(best, (surprise, chosen), key=lambda each: each[0])
                break
    return best[1]


def _by_value(leaves: Sequence[Leaf], place: int) -> _Sides:
    sums: _Sides = defaultdict(lambda: [0.0, 0.0])
    for leaf in leaves:
        if leaf.values[place]:
            sums[leaf.values[place]][0] += float(leaf.actual)
            sums[leaf.values[place]][1] += float(leaf.expected)
    return sums


def _surprise(before: float, now: float) -> float:
    """Of one value's shares: its term of the Jensen-Shannon divergence."""
    middle = (before + now) / 2
    return sum(share * log(share / middle) for share in (before, now) if share > 0) / 2
