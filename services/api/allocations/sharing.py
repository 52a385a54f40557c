"""Whole units of an amount shared out by whole weights, so that the parts are the amount. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from math import gcd

from spendmeter.contracts.money import EXACT

PLACES = 12
"""An amount is shared out in units of 1e-12, or of its own last place where that is finer."""


def shared_out(units: int, weights: Sequence[int]) -> list[int]:
    """What each weight has of `units`, by largest remainder; of equal remainders the earlier has it.

    The parts sum to `units`, whatever its sign, and a weight of 0 has 0. Weights are not negative, and one at
    least is more than 0."""
    if units < 0:
        return [-part for part in shared_out(-units, weights)]
    whole = sum(weights)
    products = [units * weight for weight in weights]
    parts = [product // whole for product in products]
    if left := units - sum(parts):
        remainders = [product % whole for product in products]
        for place in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:left]:
            parts[place] += 1
    return parts


def places_of(amounts: Iterable[Decimal]) -> int:
    """How many places after the point hold each of these amounts, PLACES at least."""
    return max([PLACES, *(-int(amount.as_tuple().exponent) for amount in amounts)])


def in_units(amount: Decimal, places: int) -> int:
    """The amount in units of its last place."""
    return int(EXACT.scaleb(amount, places))


def of_units(units: int, places: int) -> Decimal:
    """The amount that so many units are."""
    return EXACT.scaleb(Decimal(units), -places)


def whole_weights(measured: Mapping[str, Decimal]) -> dict[str, int]:
    """Quantities or amounts as the smallest whole weights of the same ratios. What is below zero weighs
    nothing: nobody is owed a part of a bill."""
    places = max((-int(each.as_tuple().exponent) for each in measured.values()), default=0)
    weights = {name: max(0, in_units(each, max(places, 0))) for name, each in measured.items()}
    divisor = reduce(gcd, weights.values(), 0) or 1
    return {name: weight // divisor for name, weight in weights.items()}
