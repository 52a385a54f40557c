"""Causes are found in a process of its own, and where it does not answer the best single value is told."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import product

from services.alerts.cause.finding import AT_ONCE_MAX, CauseFinder, CauseRequest
from services.alerts.cause.leaves import Leaf
from spendmeter.platform.bounded_process import ProcessBounds

HURRIED = ProcessBounds(seconds_max=0.01, memory_bytes_max=512 * 2**20, output_bytes_max=2**20)

# Of 27 leaves at 10 the three of a1 with s2 cost 30.
REQUEST = CauseRequest(
    leaves=[
        Leaf(values, Decimal(30 if values[::2] == ("a1", "s2") else 10), Decimal(10))
        for values in product(("a1", "a2", "a3"), ("f1", "f2", "f3"), ("s1", "s2", "s3"))
    ],
    dimensions=("agent", "feature", "sku"),
)


async def test_a_combination_is_found_in_another_process() -> None:
    (cause,) = await CauseFinder().find(REQUEST)
    assert cause.scope == {"agent": "a1", "sku": "s2"}
    assert (cause.actual, cause.expected, cause.excess, cause.share) == (90, 30, 60, 1)
    assert cause.narrowed


async def test_where_time_is_over_the_best_single_value_is_told_as_not_narrowed() -> None:
    (cause,) = await CauseFinder(HURRIED).find(REQUEST)
    assert (len(cause.scope), cause.narrowed) == (1, False)
    # a1, or s2: nine leaves, three of which cost 30.
    assert (cause.actual, cause.expected) == (150, 90)


async def test_more_questions_than_places_are_all_answered() -> None:
    finder = CauseFinder()
    answers = await asyncio.gather(*[finder.find(REQUEST) for _ in range(AT_ONCE_MAX + 2)])
    assert {len(causes) for causes in answers} == {1}
