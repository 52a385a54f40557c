"""What a cause is looked for in: leaves, each a combination of values, its cost and the expected. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from spendmeter.contracts.money import EXACT, total
from spendmeter.contracts.series import FOLDED

NAMELESS = frozenset({"", FOLDED})
"""Values that name nothing: no label, and the label of what was too much to be told apart."""


class Leaf(msgspec.Struct, frozen=True, array_like=True):
    """Money of one combination of values, in the order of the dimensions that it is told with."""

    values: tuple[str, ...]
    actual: Decimal
    expected: Decimal

    @property
    def excess(self) -> Decimal:
        """Negative where it cost less than expected."""
        return EXACT.subtract(self.actual, self.expected)


class ScopeSums(msgspec.Struct, frozen=True, kw_only=True):
    """Of some leaves together, exactly."""

    actual: Decimal
    expected: Decimal

    @property
    def excess(self) -> Decimal:
        """Negative where they cost less than expected."""
        return EXACT.subtract(self.actual, self.expected)


def summed(leaves: Iterable[Leaf]) -> ScopeSums:
    """Their exact sums."""
    held = list(leaves)
    return ScopeSums(
        actual=total(leaf.actual for leaf in held), expected=total(leaf.expected for leaf in held)
    )


def telling(dimensions: Iterable[str], first: Sequence[str]) -> list[str]:
    """Dimensions, the most telling first: those of `first` as they stand there, then the others by name."""
    rank = {name: place for place, name in enumerate(first)}
    return sorted(dimensions, key=lambda name: (rank.get(name, len(rank)), name))
