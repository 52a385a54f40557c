"""How much one scope explains: scores of scopes over a table of leaves, as floats. Pure.

Of a scope of actual A and expected E that is said to have moved as a whole it is A ln(A/E) - (A - E): what
the logarithm of the likelihood of Poisson counts gains when their mean is no longer E but A (Kulldorff's scan
statistic). It grows with the money and with the ratio: of two scopes with the same excess the one of which
less was expected wins, so a pair beats the single value around it, and a single value beats each pair within.
What speaks against a scope is that its own parts moved differently: the same gain, of the parts over theirs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import log

Places = tuple[int, ...]
"""Dimensions, by their place."""
Codes = tuple[int, ...]
"""A leaf's values, each by its number in its dimension."""
ScopeKey = tuple[Places, Codes]
"""Dimensions, and a value of each."""
_Sums = list[float]


class SurpriseTable:
    """Sums of every combination of at most `depth_max` values over leaves that can be taken out.

    It makes len(leaves) x combinations additions at once, and as many again at most as leaves are taken out.
    """

    def __init__(
        self, codes: Sequence[Codes], actual: Sequence[float], expected: Sequence[float], depth_max: int
    ) -> None:
        self._codes, self._actual, self._expected = codes, actual, expected
        self._places = range(len(codes[0]) if codes else 0)
        self.left = dict.fromkeys(range(len(codes)))
        self._sums: dict[Places, dict[Codes, _Sums]] = {
            places: defaultdict(lambda: [0.0, 0.0, 0.0])
            for depth in range(depth_max + 1)
            for places in combinations(self._places, depth)
        }
        self._floor = FLOOR_SHARE * sum(abs(a - e) for a, e in zip(actual, expected, strict=True))
        self._add(self.left, 1.0)
        self.noise = self._noise()

    def take_out(self, leaves: Iterable[int]) -> None:
        """What is explained plays no further part."""
        gone = list(leaves)
        self._add(gone, -1.0)
        for leaf in gone:
            del self.left[leaf]
        self.noise = self._noise()

    def scopes(self) -> Iterable[tuple[ScopeKey, float]]:
        """Every scope that cost more than expected and what it explains, as if it had moved as a whole."""
        for places, sums in self._sums.items():
            for codes, (actual, expected, _) in sums.items():
                if actual > expected:
                    yield (places, codes), self._gain(actual, expected)

    def excess(self, key: ScopeKey) -> float:
        """Of the leaves that are left."""
        actual, expected, _ = self._sums[key[0]][key[1]]
        return actual - expected

    def stands_out(self, key: ScopeKey) -> float:
        """Its excess in standard deviations of the noise of so much expected money in as many leaves."""
        actual, expected, squares = self._sums[key[0]][key[1]]
        spread = self.noise * max(squares, 0.0) ** 0.5
        return (actual - expected) / spread if spread > 0 else float("inf")

    def leaves(self, key: ScopeKey) -> list[int]:
        """Those that are left of a scope."""
        tests = list(zip(*key, strict=True))
        codes = self._codes
        return [leaf for leaf in self.left if all(codes[leaf][place] == code for place, code in tests)]

    def score(self, key: ScopeKey) -> float:
        """What the scope explains, less what its parts by any one other dimension explain beyond it.

        Of everything less what parts by any dimensions do: of two pairs that rose each dimension rises alike.
        """
        actual, expected, _ = self._sums[key[0]][key[1]]
        whole = self._gain(actual, expected)
        if not key[0]:
            parts = [
                sum(self._gain(*part[:2]) for part in sums.values())
                for places, sums in self._sums.items()
                if places
            ]
            return whole - max(0.0, max(parts, default=0.0) - whole)
        leaves = self.leaves(key)
        parts = [self._parts_gain(leaves, place) for place in self._places if place not in key[0]]
        return whole - max(0.0, max(parts, default=0.0) - whole)

    def _parts_gain(self, leaves: Sequence[int], place: int) -> float:
        parts: defaultdict[int, _Sums] = defaultdict(lambda: [0.0, 0.0])
        for leaf in leaves:
            part = parts[self._codes[leaf][place]]
            part[0] += self._actual[leaf]
            part[1] += self._expected[leaf]
        return sum(self._gain(*part) for part in parts.values())

    def _gain(self, actual: float, expected: float) -> float:
        actual, expected = max(actual, 0.0) + self._floor, max(expected, 0.0) + self._floor
        return actual * log(actual / expected) - (actual - expected)

    def _add(self, leaves: Iterable[int], sign: float) -> None:
        chosen = list(leaves)
        for places, sums in self._sums.items():
            key_of = _key_of(places)
            for leaf in chosen:
                actual, expected = self._actual[leaf], self._expected[leaf]
                of_scope = sums[key_of(self._codes[leaf])]
                of_scope[0] += sign * actual
                of_scope[1] += sign * expected
                of_scope[2] += sign * expected**2

    def _noise(self) -> float:
        """By how much a usual leaf misses its expectation, as a share: the median, causes aside."""
        misses = sorted(
            abs(actual - expected) / max(actual, expected)
            for actual, expected in ((self._actual[leaf], self._expected[leaf]) for leaf in self.left)
            if actual > 0 and expected > 0
        )
        return MEDIAN_TO_DEVIATION * misses[len(misses) // 2] if misses else 0.0


FLOOR_SHARE = 0.01
"""Of all that moved: added to both sides of a scope, else where nothing was expected all is infinite."""
MEDIAN_TO_DEVIATION = 1.4826


def _key_of(places: Places) -> Callable[[Codes], Codes]:
    """Which values a leaf has in these dimensions."""
    if len(places) == 1:
        first = places[0]
        return lambda codes: (codes[first],)
    if len(places) == 2:
        first, second = places
        return lambda codes: (codes[first], codes[second])
    return lambda codes: tuple(codes[place] for place in places)
