"""Which budgets lie within which: by what their filters name, and how long they run. Pure.

A budget lies within another one when all that it counts counts there, too: the other's filter names less and
nothing else; or the same, for a longer period. A template is one budget for each value, so it lies within
those of its filter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any, NamedTuple

from spendmeter.contracts.money import total

_LENGTHS = {"day": 1, "week": 2, "month": 3, "quarter": 4, "year": 5}


class TreeBudget(NamedTuple):
    """What the tree looks at of a budget. `period`: whatever tells its time; its kind is the first of it."""

    id: Any
    filter: Mapping[str, str]
    currency: str
    period: tuple[Any, ...]
    amount: Decimal
    each: str = ""


class Allocation(NamedTuple):
    """What of a budget is promised to those right below it that are of the same time."""

    budgets: int
    amount: Decimal
    overlap: bool
    """Whether some money may count in two of them, so that their sum is more than what they can spend."""


def lies_within(child: TreeBudget, parent: TreeBudget) -> bool:
    """Whether what counts in `child` counts in `parent`."""
    if parent.each or child.currency != parent.currency or not parent.filter.items() <= child.filter.items():
        return False
    if len(parent.filter) < len(child.filter) + bool(child.each):
        return True
    longer, shorter = (_LENGTHS.get(each.period[0], 0) for each in (parent, child))
    return longer > shorter > 0


class BudgetTree:
    """All budgets of a tenant, and what lies within what: looked up by filter, for there may be hundreds."""

    def __init__(self, budgets: Iterable[TreeBudget]) -> None:
        self._by_filter: defaultdict[frozenset[tuple[str, str]], list[TreeBudget]] = defaultdict(list)
        self._below: defaultdict[Any, list[TreeBudget]] = defaultdict(list)
        everything = list(budgets)
        for each in everything:
            self._by_filter[frozenset(each.filter.items())].append(each)
        for each in everything:
            if not each.each:
                alike = [other for other in self._above(each) if other.period == each.period]
                for parent in _nearest(alike):
                    self._below[parent.id].append(each)

    def parents(self, child: TreeBudget) -> list[TreeBudget]:
        """Those right above it: what lies above one of these is above it, too, and is left out."""
        return _nearest(self._above(child))

    def allocation(self, parent: TreeBudget) -> Allocation | None:
        """What is promised of it to budgets of its own time, right below it among those; None = nothing.
        Templates promise an unknown sum, and are not counted."""
        below = self._below.get(parent.id)
        if not below:
            return None
        return Allocation(len(below), total(each.amount for each in below), overlap=_overlap(below))

    def _above(self, child: TreeBudget) -> list[TreeBudget]:
        items = tuple(child.filter.items())
        if 2 ** len(items) > len(self._by_filter):
            subsets: Iterable[frozenset[tuple[str, str]]] = self._by_filter
        else:
            subsets = (
                frozenset(some) for size in range(len(items) + 1) for some in combinations(items, size)
            )
        candidates = (each for subset in subsets for each in self._by_filter.get(subset, ()))
        return [each for each in candidates if lies_within(child, each)]


def _nearest(above: Sequence[TreeBudget]) -> list[TreeBudget]:
    return [each for each in above if not any(lies_within(other, each) for other in above)]


def _overlap(budgets: Sequence[TreeBudget]) -> bool:
    for name in budgets[0].filter:  # mostly one dimension tells all of them apart
        values = [each.filter.get(name) for each in budgets]
        if None not in values and len(set(values)) == len(values):
            return False
    return any(
        not _disjoint(one, other) for place, one in enumerate(budgets) for other in budgets[place + 1 :]
    )


def _disjoint(one: TreeBudget, other: TreeBudget) -> bool:
    return any(other.filter.get(name, value) != value for name, value in one.filter.items())
