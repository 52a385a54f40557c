"""The dearest that one unit can cost in a span of time, however the call is served and however long it is.

A plan (plan.py) orders what may price a unit for one way of serving; here every price of it counts that some
call in the span may meet, times every factor above 1 that may be on it. A factor below 1 and a contract never
lower the result: list and contracted price both count, the dearer is taken.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import reduce
from itertools import chain
from typing import NamedTuple

from spendmeter.contracts.money import EXACT
from spendmeter.pricing.conditions import Bounds
from spendmeter.pricing.decision import Decision, spares
from spendmeter.pricing.plan import Option, Plan

_ONE = Decimal(1)


class CallsWithin(NamedTuple):
    """The calls that are bounded: from `since` to `until`, both included, of at most `length` of context."""

    since: datetime
    until: datetime
    length: int

    def meets(self, each: Bounds) -> bool:
        """Whether some call may be priced by it."""
        return each.start <= self.until and self.since < each.end and each.low <= self.length

    def is_within(self, each: Bounds) -> bool:
        """Whether every call is, so that what ranks below it prices none."""
        in_time = each.start <= self.since and self.until < each.end
        return in_time and each.low <= 0 and self.length <= each.high and each.week is None


class Dearest(NamedTuple):
    """A price that a call may meet, and all factors above 1 that may be on it."""

    decision: Decision
    factor: Decimal
    factors: tuple[str, ...]
    """Their names."""

    @property
    def per_unit(self) -> Decimal:
        """For comparing."""
        return EXACT.multiply(self.decision.per_unit, self.factor)


def dearest(plans: Iterable[Plan], unit: str, calls: CallsWithin) -> list[Dearest]:
    """What one `unit` costs at most, in each currency that it may be charged in."""
    return of_each_currency(each for plan in plans for each in _by_plan(plan, unit, calls))


def of_each_currency(found: Iterable[Dearest]) -> list[Dearest]:
    """The dearest of each."""
    best: dict[str, tuple[Decimal, Dearest]] = {}
    for each in found:
        per_unit, before = each.per_unit, best.get(each.decision.currency)
        if before is None or per_unit > before[0]:
            best[each.decision.currency] = per_unit, each
    return [each for _, each in best.values()]


def _by_plan(plan: Plan, unit: str, calls: CallsWithin) -> Iterator[Dearest]:
    options = plan.options(unit)
    for option in (*_met(options.listed, calls), *_met(options.contracted, calls)):
        yield Dearest(option.decision, *_factors(plan, unit, option, calls))


def _met(options: Iterable[Option], calls: CallsWithin) -> Iterator[Option]:
    """Those that may decide, the highest rank first: none below one that always does."""
    for option in options:
        if calls.meets(option):
            yield option
            if calls.is_within(option):
                return


def _factors(plan: Plan, unit: str, option: Option, calls: CallsWithin) -> tuple[Decimal, tuple[str, ...]]:
    """The product of the greatest of each kind and name, where that is above 1."""
    greatest: dict[tuple[str, str], Decimal] = {}
    settled: set[tuple[str, str]] = set()
    for each in plan.adjustments:
        name = each.entry.kind, each.entry.name
        about = not each.entry.units or unit in each.entry.units
        if name in settled or not about or not calls.meets(each) or spares(each.entry, option.entry):
            continue
        greatest[name] = max(greatest.get(name, _ONE), Decimal(each.entry.factor))
        if calls.is_within(each):
            settled.add(name)
    return product(greatest)


def product(greatest: Mapping[tuple[str, str], Decimal]) -> tuple[Decimal, tuple[str, ...]]:
    """Of all of them, and their names."""
    by_all = reduce(EXACT.multiply, greatest.values(), _ONE)
    return by_all, tuple(name for (_, name), factor in greatest.items() if factor > 1)


def gap(plans: Iterable[Plan], units: Sequence[str], calls: CallsWithin) -> datetime | None:
    """The first instant of the span at which no way of serving has a price for any of the units; None = there
    is none."""
    known = list(plans)
    options = [option for plan in known for unit in units for option in chain(*plan.options(unit))]
    ends = sorted({option.end for option in options if calls.since < option.end <= calls.until})
    for instant in (calls.since, *ends):
        if not any(plan.decide(unit, instant, calls.length) for plan in known for unit in units):
            return instant
    return None
