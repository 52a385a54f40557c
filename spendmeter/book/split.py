"""Why one scope cost more, or less, than before: volume, mix, tokens per call, cache, price. Pure.

One thing after the other is set from what it was to what it is, and each step's total is told apart from the
one before it. The order is that of who decides: how many calls there are, on which skus, how large each is,
how much of its input is cached, and last what a unit costs:

    before            sum of amounts before
    volume            ... times calls now / calls before
    mix               each sku's calls now, at its cost per call before
    tokens per call   each group's quantity now, at its cost per unit before; all input is one group
    cache             each unit's quantity now, at its price before
    price             sum of amounts now

So what two things did together counts for the later one, and each step can be said in a sentence and done
again with a calculator; Shapley values, which share it out, cannot. Steps are exact fractions, rounded once,
to 12 places: the parts sum to the change to the last digit.

What has no before has none to be compared with: a sku that is new costs per call what it costs now, so all of
it is mix; a unit that was not used before has the price that it has now; where nothing was, all is volume.
Skus of which some calls have no price, or a provisional one, or whose amounts by unit are not known, are told
apart: nothing of them can be split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from spendmeter.contracts.money import EXACT, ZERO, divided, total

INPUT_UNITS = frozenset(
    {"input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"}
)
"""One group: how it is divided into these is what cache means."""


@dataclass(frozen=True, kw_only=True)
class SkuUse:
    """What was used of one sku, in one of the two times that are compared."""

    calls: Decimal
    """May be a mean: what was expected."""
    quantities: Mapping[str, Decimal] = field(default_factory=dict)
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """By unit. A price per unit is an amount over its quantity; money without a quantity goes by calls."""
    unsettled: bool = False
    """Some of its calls have no price, or a provisional one, or its amounts by unit are not known."""

    @property
    def amount(self) -> Decimal:
        return total(self.amounts.values())


@dataclass(frozen=True, kw_only=True)
class ChangeSplit:
    """Parts of a change in cost; the six sum exactly to it."""

    volume: Decimal
    mix: Decimal
    tokens_per_call: Decimal
    cache: Decimal
    price: Decimal
    unsplit: Decimal
    """Of skus that are unsettled in either time: no part of the others."""
    of_mix_new: Decimal
    """Within `mix`: what skus cost that were not there before."""
    of_mix_gone: Decimal
    """Within `mix`, not above 0: what those would have cost that are there no more."""

    @property
    def change(self) -> Decimal:
        parts = (self.volume, self.mix, self.tokens_per_call, self.cache, self.price, self.unsplit)
        return total(parts)


_NONE = SkuUse(calls=ZERO)


def split_change(before: Mapping[str, SkuUse], now: Mapping[str, SkuUse]) -> ChangeSplit:
    """How what `now` costs comes from what it cost `before`, by sku. Both are of as much time: the
    caller brings one to the other's."""
    pairs = {sku: (before.get(sku, _NONE), now.get(sku, _NONE)) for sku in sorted({*before, *now})}
    settled = [pair for pair in pairs.values() if not (pair[0].unsettled or pair[1].unsettled)]
    unsettled = [pair for pair in pairs.values() if pair[0].unsettled or pair[1].unsettled]
    growth = _growth(settled)
    volume, mix, tokens, cache, price = (
        EXACT.subtract(then, earlier) for earlier, then in pairwise(_steps(settled, growth))
    )
    gone = [-growth * Fraction(was.amount) for was, now in settled if _calls(was) and not _calls(now)]
    return ChangeSplit(
        volume=volume, mix=mix, tokens_per_call=tokens, cache=cache, price=price,
        unsplit=_difference(unsettled),
        of_mix_new=total(now.amount for was, now in settled if _is_new(was)),
        of_mix_gone=_rounded(gone),
    )  # fmt: skip


_Pair = tuple[SkuUse, SkuUse]


def _steps(pairs: list[_Pair], growth: Fraction) -> list[Decimal]:
    """The totals of the docstring, in its order."""
    return [
        total(was.amount for was, _ in pairs),
        _rounded([growth * Fraction(was.amount) for was, _ in pairs] if _any(pairs) else _now(pairs)),
        _rounded(_at_calls(was, now) for was, now in pairs),
        _rounded(_at_quantities(was, now, grouped=True) for was, now in pairs),
        _rounded(_at_quantities(was, now, grouped=False) for was, now in pairs),
        total(now.amount for _, now in pairs),
    ]


def _any(pairs: list[_Pair]) -> bool:
    return any(not _is_new(was) for was, _ in pairs)


def _now(pairs: list[_Pair]) -> list[Fraction]:
    return [Fraction(now.amount) for _, now in pairs]


def _growth(pairs: list[_Pair]) -> Fraction:
    """Of calls, all skus together."""
    before, now = sum(_calls(was) for was, _ in pairs), sum(_calls(now) for _, now in pairs)
    return Fraction(now, before) if before else Fraction(0)


def _at_calls(was: SkuUse, now: SkuUse) -> Fraction:
    """As many calls as now, each at its cost before."""
    if _is_new(was) or not _calls(now):
        return Fraction(now.amount)
    return Fraction(was.amount) * _calls(now) / _calls(was)


def _at_quantities(was: SkuUse, now: SkuUse, *, grouped: bool) -> Fraction:
    """The quantities of now at the prices before: of a group together, or of each unit."""
    if _is_new(was) or not _calls(now):
        return Fraction(now.amount)
    cost = Fraction(0)
    for units in _groups({*was.amounts, *now.amounts, *was.quantities, *now.quantities}, grouped=grouped):
        amount, amount_now = _sum(was.amounts, units), _sum(now.amounts, units)
        quantity, quantity_now = _sum(was.quantities, units), _sum(now.quantities, units)
        if quantity > 0:
            cost += amount * quantity_now / quantity
        elif quantity_now > 0:
            cost += amount_now
        else:
            cost += amount * _calls(now) / _calls(was)
    return cost


def _groups(units: set[str], *, grouped: bool) -> Iterable[set[str]]:
    if not grouped:
        return [{unit} for unit in units]
    return [units & INPUT_UNITS, *({unit} for unit in units - INPUT_UNITS)]


def _is_new(use: SkuUse) -> bool:
    """There is nothing of it to compare with."""
    return _calls(use) == 0


def _calls(use: SkuUse) -> Fraction:
    """More was taken back than there was: none."""
    return max(Fraction(use.calls), Fraction(0))


def _sum(amounts: Mapping[str, Decimal], units: set[str]) -> Fraction:
    return sum((Fraction(amounts.get(unit, ZERO)) for unit in units), Fraction(0))


def _difference(pairs: list[_Pair]) -> Decimal:
    return EXACT.subtract(total(now.amount for _, now in pairs), total(was.amount for was, _ in pairs))


def _rounded(amounts: Iterable[Fraction]) -> Decimal:
    whole = sum(amounts, Fraction(0))
    return divided(Decimal(whole.numerator), Decimal(whole.denominator))
