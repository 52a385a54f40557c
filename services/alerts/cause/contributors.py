"""Who holds an excess: values of some dimensions, what they cost, were expected to, and hold of it. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from services.alerts.cause.leaves import Leaf, summed
from spendmeter.contracts.money import divided


class Contributor(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of values."""

    scope: Mapping[str, str]
    """By dimension, without those that it does not have."""
    actual: Decimal
    expected: Decimal
    excess: Decimal
    share: Decimal | None
    """Of the excess of all: more than 1 where others fell, negative where this one did. None = all together
    cost just what was expected."""


def contributors(
    leaves: Sequence[Leaf], dimensions: Sequence[str], by: Sequence[str] | None = None, *, limit: int = 4
) -> list[Contributor]:
    """The `limit` largest by excess, of the leaves summed by the dimensions `by` (None = all of them).

    The excess of all of them (no limit) is that of the leaves, to the last digit.
    """
    places = [dimensions.index(name) for name in (dimensions if by is None else by)]
    grouped: defaultdict[tuple[str, ...], list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        grouped[tuple(leaf.values[place] for place in places)].append(leaf)
    whole = summed(leaves).excess
    found = []
    for values, held in grouped.items():
        sums = summed(held)
        contributor = Contributor(
            scope={dimensions[place]: value for place, value in zip(places, values, strict=True) if value},
            actual=sums.actual, expected=sums.expected, excess=sums.excess,
            share=divided(sums.excess, whole) if whole else None,
        )  # fmt: skip
        found.append((-sums.excess, values, contributor))
    return [contributor for *_, contributor in sorted(found, key=lambda each: each[:2])[:limit]]
