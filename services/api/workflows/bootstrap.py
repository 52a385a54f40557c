"""How sure a ratio of sums is: days are drawn again, whole, as often as there are days. Pure.

A day is a block: its runs share their traffic, prices and troubles, and a run is wholly of one day. The seed
is fixed, so the same days always give the same interval. Draws are floats; what is printed is Decimal.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import inf, sqrt
from operator import itemgetter
from random import Random
from statistics import NormalDist

DRAWS = 1_000
SEED = 79
LEVEL = 0.95
ACCEPTED_MIN, DAYS_MIN = 30, 5
"""Below, data is insufficient."""
SIGNIFICANT = 4
"""Digits of an interval's ends."""

Draws = Sequence[float]
"""A figure's value in each draw."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the figure lies in 95 of 100 such samples; None = the draws say no bound."""

    low: Decimal | None
    high: Decimal | None


@lru_cache(maxsize=2_000)
def drawn_ratio(above: tuple[float, ...], below: tuple[float, ...], stream: int = 0) -> Draws:
    """The ratio of two sums in each draw, from their parts, a day each; infinite where nothing is below, or
    less.

    Another `stream` draws other days: for what is compared and independent. Days that are over seldom change,
    so most were drawn before; 8 kB each are kept."""
    if len(above) < 2:
        return ()
    pairs = zip(_drawn(above, stream), _drawn(below, stream), strict=True)
    return array("d", [one / other if other > 0 else inf for one, other in pairs])


def interval_of(draw: Draws, days: int) -> Interval | None:
    """The interval of `draw`, drawn of so many days; None = there is none.

    Percentiles of few days are too narrow, so they are taken further out, as far as Student's t is beyond the
    normal distribution (Hesterberg's expanded percentile interval).
    """
    if days < 2 or not draw:
        return None
    tail, whole = _tail(days), sum(draw)
    lows = highs = sorted(draw)
    if whole != whole:  # of some draws nothing is known, which may be anywhere
        lows, highs = (sorted(end if each != each else each for each in draw) for end in (-inf, inf))
    return Interval(low=_end(_quantile(lows, tail)), high=_end(_quantile(highs, 1 - tail)))


@lru_cache(maxsize=2_000)
def _drawn(parts: tuple[float, ...], stream: int) -> Draws:
    return array("d", [sum(pick(parts)) for pick in _picks(len(parts), stream)])


@lru_cache(maxsize=8)
def _picks(count: int, stream: int) -> list[Callable[[Sequence[float]], Iterable[float]]]:
    chance = Random(f"{SEED}/{count}/{stream}")  # noqa: S311 # no secret is drawn
    return [itemgetter(*chance.choices(range(count), k=count)) for _ in range(DRAWS)]


@lru_cache(maxsize=512)
def _tail(days: int) -> float:
    normal = NormalDist()
    t = _student(normal.inv_cdf((1 + LEVEL) / 2), days - 1)
    return max(1 / DRAWS, normal.cdf(-t * sqrt(days / (days - 1))))


def _student(z: float, freedom: int) -> float:
    """Student's t of the normal z's tail (Abramowitz and Stegun 26.7.5): 0.3 % off at 4, less above."""
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _quantile(ordered: Draws, share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    if ordered[low] == ordered[high]:
        return ordered[low]
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _end(value: float) -> Decimal | None:
    """Rounded to significant digits; None = no bound."""
    if value != value or value in (float("inf"), float("-inf")):
        return None
    return Decimal(f"{value:.{SIGNIFICANT}g}")
