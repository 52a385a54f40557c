"""Incidents with a known cause, made as the public generators of root cause localisation make theirs.

Leaves are the product of a few dimensions; their money is Weibull (shape 0.5 to 1), up to a quarter of them cost
nothing, forecasts miss by a noise of up to a quarter of the leaf, on either side. A cause is one to three values of
one dimension, or as many combinations of two; in all of its leaves one side is the other times 1 - s, s between 0.2
and 1 beyond the noise, give or take up to a tenth. Of a cause with a small history a leaf was expected to cost
nothing, or a hundredth. Two at once may overlap: then the second one's factor holds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from services.alerts.cause.leaves import Leaf
from tests.benchmarks.tenant_cases import CauseCase, money

KINDS = ("single", "single_of_several", "pair", "pair_of_several", "two_at_once", "small_history")
MOVES = ("rise", "fall")
SHAPES = ((6, 8, 10, 5), (5, 12, 4, 8), (10, 12, 10, 8, 5), (10, 24, 10, 15), (3, 40, 4, 2, 3))
"""Values of each dimension. The third and the fourth are those of the public data sets S and L."""
NAMES = ("agent", "workflow", "feature", "key_id", "team")
SMALL_HISTORY = (0.0, 0.01)

Element = tuple[tuple[int, int], ...]
"""(dimension, value), once or twice."""


@dataclass
class _Cell:
    """A leaf in the making."""

    codes: tuple[int, ...]
    actual: float
    expected: float


def cases(seed: int, number: int, shapes: tuple[tuple[int, ...], ...] = SHAPES) -> Iterator[CauseCase]:
    """`number` of each kind and move: the same for the same seed."""
    for kind, move in product(KINDS, MOVES):
        for place in range(number):
            yield _case(
                kind, move, shapes[place % len(shapes)], random.Random(f"{seed} {kind} {move} {place}")
            )


def _case(kind: str, move: str, shape: tuple[int, ...], chance: random.Random) -> CauseCase:
    noise = chance.uniform(0, 0.25)
    cells = _usual(shape, noise, chance)
    causes = _causes(kind, shape, chance)
    for elements in causes:
        severity, deviation = chance.uniform(0.2, 1) + noise, chance.uniform(0, 0.1)
        left = chance.choice(SMALL_HISTORY) if kind == "small_history" else None
        for cell in cells:
            if any(_has(cell, element) for element in elements):
                factor = max(0.0, 1 - chance.gauss(severity, deviation)) if left is None else left
                _set_apart(cell, move, factor)
    names = NAMES[: len(shape)]
    return CauseCase(
        kind=f"{kind}_{move}",
        dimensions=names,
        leaves=[
            Leaf(
                tuple(_value(*each) for each in enumerate(cell.codes)),
                money(cell.actual),
                money(cell.expected),
            )
            for cell in cells
            if cell.actual or cell.expected
        ],
        truth=[
            {NAMES[place]: _value(place, code) for place, code in each}
            for elements in causes
            for each in elements
        ],
    )


def _usual(shape: tuple[int, ...], noise: float, chance: random.Random) -> list[_Cell]:
    weibull, zeros = chance.uniform(0.5, 1), chance.uniform(0, 0.25)
    cells = []
    for codes in product(*map(range, shape)):
        usual = 100 * chance.weibullvariate(1, weibull) if chance.random() > zeros else 0.0
        sides = [usual, max(0.0, usual * (1 + chance.gauss(0, noise)))]
        chance.shuffle(sides)
        cells.append(_Cell(codes, *sides))
    return cells


def _set_apart(cell: _Cell, move: str, factor: float) -> None:
    """One side keeps its money, and the other is a part of it."""
    if move == "rise":
        cell.expected = cell.actual * factor
    else:
        cell.actual = cell.expected * factor


def _has(cell: _Cell, element: Element) -> bool:
    return all(cell.codes[place] == code for place, code in element)


def _causes(kind: str, shape: tuple[int, ...], chance: random.Random) -> list[list[Element]]:
    if kind in {"two_at_once", "small_history"}:
        depths = [chance.choice((1, 2)) for _ in range(2 if kind == "two_at_once" else 1)]
    else:
        depths = [2 if kind.startswith("pair") else 1]
    number = chance.choice((2, 3)) if kind.endswith("several") else 1
    while True:
        causes = [_elements(depth, number, shape, chance) for depth in depths]
        if _told_apart(causes, shape):
            return causes


def _elements(depth: int, number: int, shape: tuple[int, ...], chance: random.Random) -> list[Element]:
    places = sorted(chance.sample(range(len(shape)), depth))
    return [tuple((place, chance.randrange(shape[place])) for place in places) for _ in range(number)]


def _told_apart(causes: list[list[Element]], shape: tuple[int, ...]) -> bool:
    """No element twice, no value of one cause in the other, and never all values of a dimension, or all but one,
    beside each other: that has a simpler name."""
    for elements in causes:
        for of_dimension in zip(*elements, strict=True):
            place = of_dimension[0][0]
            if len(set(of_dimension)) > max(1, shape[place] - 2):
                return False
        if len(set(elements)) < len(elements):
            return False
    values = [{value for element in elements for value in element} for elements in causes]
    return len(values) < 2 or not values[0] & values[1]


def _value(place: int, code: int) -> str:
    return f"{NAMES[place]}-{code}"
