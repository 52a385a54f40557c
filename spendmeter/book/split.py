"""Why one scope cost more, or less, than before: days, volume, mix, tokens per call, cache, price. Pure.

One thing after the other is set from what it was to what it is, and each step's total is told apart from the
one before it. The order is that of who decides: how long the time is, how many calls there are in it, on
which skus, how large each is, how much of its input is cached, and last what a unit costs:

    before            sum of amounts before
    days              ... times how long now is over how long before was
    volume            sum of amounts before, times calls now / calls before
    mix               each sku's calls now, at its cost per call before
    tokens per call   each group's quantity now, at its cost per unit before; all input is one group
    cache             each unit's quantity now, at its price before
    price             sum of amounts now

So what two things did together counts for the later one, and each step can be said in a sentence and done
again with a calculator; Shapley values, which share it out, cannot. Each step of each sku is rounded once, to
12 places, and the next begins with what that gave: the parts sum to the change to the last digit, and those
of skus to those of all.

What has no before has none to be compared with: a sku that is new costs per call what it costs now, so all of
it is mix; a unit that was not used before has the price that it has now; where nothing was, all is volume.
Skus of which some calls have no price, or a provisional one, are told apart: nothing of them can be split.
Where calls are known and amounts by unit are not, what calls do not explain is told apart too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from spendmeter.contracts.money import EXACT, ZERO, prorated, total

INPUT_UNITS = frozenset(
    {
        "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
        "cache_write_12h_tokens",
    }
)  # fmt: skip
"""One group: how it is divided into these is what cache means."""

_Sku = TypeVar("_Sku")
SpanLengths = tuple[Decimal, Decimal]
"""How long now is, and how long before was, in one measure."""
CallGrowth = tuple[Decimal, Decimal]
"""Calls now, and before."""
SAME = (Decimal(1), Decimal(1))


@dataclass(frozen=True, kw_only=True)
class SkuUse:
    """What was used of one sku, in one of the two times that are compared."""

    calls: Decimal
    """May be a mean: what was expected."""
    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """By unit. A price per unit is an amount over its quantity; money without a quantity goes by calls."""
    unsettled: bool = False
    """Some of its calls have no price, or a provisional one."""
    sized: bool = True
    """Its amounts by unit are known."""

    @property
    def amount(self) -> Decimal:
        return total(self.amounts.values())


@dataclass(frozen=True, kw_only=True)
class ChangeSplit:
    """Parts of a change in cost, which sum exactly to it, and what is within some of them."""

    days: Decimal = ZERO
    volume: Decimal = ZERO
    mix: Decimal = ZERO
    tokens_per_call: Decimal = ZERO
    cache: Decimal = ZERO
    price: Decimal = ZERO
    unsplit: Decimal = ZERO
    """Of skus that are unsettled in either time, and of what is not sized: no part of the others."""
    of_mix_new: Decimal = ZERO
    """Within `mix`: what skus cost that were not there before."""
    of_mix_gone: Decimal = ZERO
    """Within `mix`, not above 0: what those would have cost that are there no more."""

    @property
    def change(self) -> Decimal:
        return total(getattr(self, name) for name in PARTS)


_FIELDS = tuple(each.name for each in fields(ChangeSplit))
PARTS = tuple(name for name in _FIELDS if not name.startswith("of_"))
_NONE = SkuUse(calls=ZERO)


def split_change(before: Mapping[_Sku, SkuUse], now: Mapping[_Sku, SkuUse]) -> ChangeSplit:
    """How what `now` costs comes from what it cost `before`, by sku. Both are of as much time: the
    caller brings one to the other's."""
    return added(split_skus(before, now).values())


def split_skus(
    before: Mapping[_Sku, SkuUse],
    now: Mapping[_Sku, SkuUse],
    lengths: SpanLengths = SAME,
    growth: CallGrowth | None = None,
) -> dict[_Sku, ChangeSplit]:
    """The same of each sku, as a part of all: were calls to go from one to another, volume is none of either.
    `growth` where it is not that of the settled ones."""
    pairs = {sku: (before.get(sku, _NONE), now.get(sku, _NONE)) for sku in {**before, **now}}
    if growth is None:
        settled = [pair for pair in pairs.values() if not _is_unsettled(pair)]
        growth = total(_calls(now) for _, now in settled), total(_calls(was) for was, _ in settled)
    return {
        sku: ChangeSplit(unsplit=_difference(*pair))
        if _is_unsettled(pair)
        else _split(*pair, growth=growth, lengths=lengths)
        for sku, pair in pairs.items()
    }


def added(splits: Iterable[ChangeSplit]) -> ChangeSplit:
    """The parts of several changes together."""
    each = list(splits)
    return ChangeSplit(**{name: total(getattr(split, name) for split in each) for name in _FIELDS})


def shared_out(amount: Decimal, worth: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What was paid, by unit, as what was used of each is worth at usual prices: these say how units differ.
    None of `worth` is 0 or less; the largest takes what rounding leaves."""
    whole = total(worth.values())
    amounts = {unit: prorated(amount, value, whole) for unit, value in worth.items()}
    if worth:
        most = max(worth, key=worth.__getitem__)
        rest = total(value for unit, value in amounts.items() if unit != most)
        amounts[most] = EXACT.subtract(amount, rest)
    return amounts


def _is_unsettled(pair: tuple[SkuUse, SkuUse]) -> bool:
    return pair[0].unsettled or pair[1].unsettled


def _split(was: SkuUse, now: SkuUse, *, growth: CallGrowth, lengths: SpanLengths) -> ChangeSplit:
    steps = _steps(was, now, growth, lengths)
    differences = [EXACT.subtract(then, earlier) for earlier, then in pairwise(steps)]
    of_mix = {
        "of_mix_new": now.amount if _is_new(was) and not was.amount else ZERO,
        "of_mix_gone": ZERO if _is_new(was) or _calls(now) else EXACT.minus(steps[2]),
    }
    return ChangeSplit(**dict(zip(PARTS, differences, strict=True)), **of_mix)


def _steps(was: SkuUse, now: SkuUse, growth: CallGrowth, lengths: SpanLengths) -> Sequence[Decimal]:
    """One sku's share of the totals of the docstring, in its order; between the last two what is not
    sized."""
    before, then = was.amount, now.amount
    longer = prorated(before, *lengths)
    grown = prorated(before, *growth) if growth[1] else then
    if _is_new(was) or not _calls(now):
        return [before, longer, grown, then, then, then, then, then]
    at_calls = prorated(before, _calls(now), _calls(was))
    if not was.sized:
        return [before, longer, grown, at_calls, at_calls, at_calls, at_calls, then]
    at_groups, at_units = (_at_quantities(was, now, grouped=grouped) for grouped in (True, False))
    return [before, longer, grown, at_calls, at_groups, at_units, then, then]


def _at_quantities(was: SkuUse, now: SkuUse, *, grouped: bool) -> Decimal:
    """The quantities of now at the prices before: of a group together, or of each unit."""
    costs = []
    for units in _groups({*was.amounts, *now.amounts, *was.quantities, *now.quantities}, grouped=grouped):
        amount = _sum(was.amounts, units)
        quantity, quantity_now = _sum(was.quantities, units), _sum(now.quantities, units)
        if quantity > 0:
            costs.append(prorated(amount, quantity_now, quantity))
        elif quantity_now > 0:
            costs.append(_sum(now.amounts, units))
        else:
            costs.append(prorated(amount, _calls(now), _calls(was)))
    return total(costs)


def _groups(units: set[str], *, grouped: bool) -> Iterable[set[str]]:
    if not grouped:
        return [{unit} for unit in units]
    return [units & INPUT_UNITS, *({unit} for unit in units - INPUT_UNITS)]


def _is_new(use: SkuUse) -> bool:
    """There is nothing of it to compare with."""
    return not _calls(use)


def _calls(use: SkuUse) -> Decimal:
    """More was taken back than there was: none."""
    return max(use.calls, ZERO)


def _sum(amounts: Mapping[str, Decimal], units: Iterable[str]) -> Decimal:
    return total(amounts[unit] for unit in units if unit in amounts)


def _difference(was: SkuUse, now: SkuUse) -> Decimal:
    return EXACT.subtract(now.amount, was.amount)
