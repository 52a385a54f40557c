"""Which scopes explain an excess: single values or combinations, one after the other. Pure, deterministic.

The scope that explains most (`surprise.py`) is a cause; its leaves are taken out, and what is left is
searched again. Scores are floats; amounts and shares are Decimals.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from heapq import nlargest
from math import comb

import msgspec

from services.alerts.cause.leaves import NAMELESS, Leaf, summed
from services.alerts.cause.surprise import ScopeKey, SurpriseTable
from spendmeter.contracts.money import ZERO, divided, total

STEPS_MAX = 2_000_000
"""Additions: about a second and a half of one core."""
CANDIDATES = 40
"""The scopes that explain most if their parts are not looked at: of these they are."""
AS_GOOD_SHARE = 0.99
"""Of what the best one explains: a scope that does this is preferred where it is simpler, or tells more."""
SHARE_MIN = 0.005
"""What is less than this of the whole excess is no cause that anybody need be told."""
STANDS_OUT_MIN = 5.0


class ExcessCause(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that explains a part of an excess. Its amounts leave out what causes found before it hold."""

    scope: Mapping[str, str]
    """Values by dimension, all of which its money has; {} = everything moved alike."""
    actual: Decimal
    expected: Decimal
    excess: Decimal
    share: Decimal
    """Of the whole excess: above 1 where others moved the other way. Where those outweigh, of all that moved
    this way."""
    narrowed: bool
    """Combinations were looked at as well, not single values alone."""


def find_causes(
    leaves: Sequence[Leaf],
    dimensions: Sequence[str],
    *,
    depth_max: int = 2,
    causes_max: int = 3,
    share_min: float = SHARE_MIN,
    steps_max: int = STEPS_MAX,
    falls: bool | None = None,
) -> list[ExcessCause]:
    """The causes, the largest share first; none where no scope moved that way.

    `dimensions`: of the leaves' values, the most telling first. `depth_max`: dimensions of a combination.
    More additions than `steps_max` are not made: then combinations are left out, and causes say so. `falls`:
    what cost less than expected is looked for, and excess is negative; None = if all together cost less.
    """
    whole = summed(leaves).excess
    fell = whole < 0 if falls is None else falls
    moved = whole if (whole < 0) == fell and whole else total(_moved(leaf, fell) for leaf in leaves)
    depth = min(depth_max, len(dimensions))
    narrowed = steps(len(leaves), len(dimensions), depth) <= steps_max
    search = _Search(leaves, dimensions, depth if narrowed else 1, fell)
    found: list[ExcessCause] = []
    while len(found) < causes_max:
        key = search.best(share_min * abs(float(moved)), first=not found)
        if key is None:
            break
        sums = summed(leaves[place] for place in search.take(key))
        cause = ExcessCause(
            scope=search.named(key), actual=sums.actual, expected=sums.expected, excess=sums.excess,
            share=divided(sums.excess, moved), narrowed=narrowed,
        )  # fmt: skip
        found.append(cause)
    return sorted(found, key=lambda cause: -cause.share)


def _moved(leaf: Leaf, fell: bool) -> Decimal:
    """Its excess, if it moved that way."""
    return min(leaf.excess, ZERO) if fell else max(leaf.excess, ZERO)


def steps(leaves: int, dimensions: int, depth: int) -> int:
    """How many additions a search makes at least."""
    return leaves * sum(comb(dimensions, each) for each in range(depth + 1))


class _Search:
    """What is left to be explained."""

    def __init__(self, leaves: Sequence[Leaf], dimensions: Sequence[str], depth: int, fell: bool) -> None:
        self._dimensions = dimensions
        self._values: list[list[str]] = [
            sorted({leaf.values[place] for leaf in leaves}) for place in range(len(dimensions))
        ]
        numbers = [{value: code for code, value in enumerate(values)} for values in self._values]
        actual, expected = [float(leaf.actual) for leaf in leaves], [float(leaf.expected) for leaf in leaves]
        codes = [tuple(map(dict.__getitem__, numbers, leaf.values)) for leaf in leaves]
        more, less = (expected, actual) if fell else (actual, expected)
        self._table = SurpriseTable(codes, more, less, depth)

    def best(self, excess_min: float, *, first: bool) -> ScopeKey | None:
        """The simplest and most telling of the scopes that explain about as much as the best one. What comes
        after a first cause must stand out of the noise, and is never everything."""
        table = self._table
        able = [
            (gain, key)
            for key, gain in table.scopes()
            if table.excess(key) >= excess_min
            and self._names(key)
            and (first or (key[0] and table.stands_out(key) >= STANDS_OUT_MIN))
        ]
        scores: dict[ScopeKey, float] = {}
        most = 0.0
        for gain, key in nlargest(CANDIDATES, able):
            if gain < AS_GOOD_SHARE * most:
                break  # a score is no more than the gain
            scores[key] = table.score(key)
            most = max(most, scores[key])
        good = [key for key, score in scores.items() if score > 0 and score >= AS_GOOD_SHARE * most]
        if first and not good:  # nothing moved as a whole: the single value that comes nearest to it
            return max((each for each in able if len(each[1][0]) == 1), default=(0.0, None))[1]
        return min(good, key=lambda key: (len(key[0]), key[0], -scores[key], key[1]), default=None)

    def take(self, key: ScopeKey) -> list[int]:
        """The leaves of a cause, which explain nothing further."""
        leaves = self._table.leaves(key)
        self._table.take_out(leaves)
        return leaves

    def named(self, key: ScopeKey) -> dict[str, str]:
        return {self._dimensions[place]: self._values[place][code] for place, code in zip(*key, strict=True)}

    def _names(self, key: ScopeKey) -> bool:
        return not any(self._values[place][code] in NAMELESS for place, code in zip(*key, strict=True))
