"""What was used in two periods, put in pairs of what can be compared, and the parts of its change. Pure.

A use is who uses what kind of thing: the class of cost and the labels that say for whom (`USE`). Within one,
models may be swapped for others: that is mix. A use that was not there before is new, and one that is there
no more is gone, whatever models it has. Which steps the rest is told by: `spendmeter/book/split.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from services.api.spend.closed import GroupKey, GroupSum
from spendmeter.book.split import ChangeSplit, SkuUse, SpanLengths, shared_out, split_skus
from spendmeter.contracts.money import EXACT, ZERO, prorated, total

USE = ("cost_class", "team", "project", "feature", "workflow", "agent", "environment")
"""Not the version of a workflow, nor the key: a new one of either does what the one before did."""
SERVED = ("provider", "sku")
COUNTED = frozenset({"compute", "storage", "network", "hardware", "licence", "labour", "training", "other"})
"""Classes in which nobody calls: hours, gigabytes and seats are counted themselves, each unit apart."""
UNSETTLED_PERCENT_MAX = 1
"""So much may have no price, or be a bound, in what is split all the same: it bends no part by more than
that."""
_OTHER = ""

UnitWorth = Mapping[tuple[str, str, str], Mapping[str, Decimal]]
"""By (currency, provider, sku) and unit: what so many of it are worth, the same number for all units."""


class ChangeParts(NamedTuple):
    """Of a change, which they sum to (but for those that begin with of_: they are within others)."""

    days: Decimal = ZERO
    volume: Decimal = ZERO
    mix: Decimal = ZERO
    tokens_per_call: Decimal = ZERO
    cache: Decimal = ZERO
    price: Decimal = ZERO
    new: Decimal = ZERO
    gone: Decimal = ZERO
    unsplit: Decimal = ZERO
    of_mix_new: Decimal = ZERO
    of_mix_gone: Decimal = ZERO
    of_price_agreed: Decimal = ZERO


PARTS = tuple(name for name in ChangeParts._fields if not name.startswith("of_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What one combination of values came to in both periods."""

    before: GroupSum | None
    now: GroupSum | None
    parts: ChangeParts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """What is split: a group's use of a sku, or of one unit."""

    key: GroupKey
    unit: str
    before: SkuUse
    now: SkuUse

    @property
    def change(self) -> Decimal:
        return EXACT.subtract(self.now.amount, self.before.amount)


def compared(
    dimensions: Sequence[str],
    sides: tuple[Mapping[GroupKey, GroupSum], Mapping[GroupKey, GroupSum]],
    prices: tuple[UnitWorth, UnitWorth],
    lengths: SpanLengths,
) -> dict[GroupKey, Compared]:
    """Each group of either period by `dimensions`, which have USE's first and SERVED among them; prices
    before and now. The parts of a group sum to its change, and so do those of any groups together."""
    before, now = sides
    uses: defaultdict[tuple[str, ...], list[_Leaf]] = defaultdict(list)
    places = [place for place, name in enumerate(dimensions) if name not in SERVED]
    kind, provider, sku = (dimensions.index(name) for name in ("cost_class", *SERVED))
    for key in {**before, **now}:
        currency, values = key
        named = currency, values[provider], values[sku]
        by_unit = values[kind] in COUNTED
        was = _used(before.get(key), prices[0].get(named) or prices[1].get(named) or {}, by_unit=by_unit)
        then = _used(
            now.get(key), prices[1].get(named) or prices[0].get(named) or {}, by_unit=by_unit, after=was
        )
        for unit in {**was, **then}:
            use = (currency, unit, *(values[place] for place in places))
            uses[use].append(
                _Leaf(key=key, unit=unit, before=was.get(unit, _NONE), now=then.get(unit, _NONE))
            )
    parts: defaultdict[GroupKey, list[ChangeParts]] = defaultdict(list)
    for leaves in uses.values():
        for leaf, of in zip(leaves, _split(leaves, before, now, lengths), strict=True):
            parts[leaf.key].append(of)
    return {
        key: Compared(before=before.get(key), now=now.get(key), parts=summed(parts[key]))
        for key in {**before, **now}
    }


def unsplit(
    sides: tuple[Mapping[GroupKey, GroupSum], Mapping[GroupKey, GroupSum]],
) -> dict[GroupKey, Compared]:
    """The same where there are too many to be split: what they came to, and no parts."""
    before, now = sides
    return {
        key: Compared(before=before.get(key), now=now.get(key), parts=ChangeParts())
        for key in {**before, **now}
    }


def summed(parts: Sequence[ChangeParts]) -> ChangeParts:
    """Of several together."""
    return parts[0] if len(parts) == 1 else ChangeParts(*map(total, zip(ChangeParts(), *parts, strict=True)))


_NONE = SkuUse(calls=ZERO)


def _split(
    leaves: Sequence[_Leaf],
    before: Mapping[GroupKey, GroupSum],
    now: Mapping[GroupKey, GroupSum],
    lengths: SpanLengths,
) -> list[ChangeParts]:
    """The parts of each leaf of one use."""
    if not any(leaf.before.calls > 0 or leaf.now.calls > 0 for leaf in leaves):
        return [ChangeParts(unsplit=leaf.change) for leaf in leaves]  # true-ups alone: nobody used anything
    if not any(map(_is_there, (leaf.before for leaf in leaves))):
        return [ChangeParts(new=leaf.change) for leaf in leaves]
    if not any(map(_is_there, (leaf.now for leaf in leaves))):
        return [ChangeParts(gone=leaf.change) for leaf in leaves]
    # calls to what has no price yet are known: who goes there from another sku did not stop calling
    growth = total(leaf.now.calls for leaf in leaves), total(leaf.before.calls for leaf in leaves)
    splits = split_skus(
        {leaf.key: leaf.before for leaf in leaves}, {leaf.key: leaf.now for leaf in leaves}, lengths, growth
    )
    return [_parts(splits[leaf.key], leaf, before.get(leaf.key), now.get(leaf.key)) for leaf in leaves]


def _is_there(use: SkuUse) -> bool:
    return use.calls > 0 or bool(use.amount)


def _parts(split: ChangeSplit, leaf: _Leaf, before: GroupSum | None, now: GroupSum | None) -> ChangeParts:
    return ChangeParts(
        days=split.days, volume=split.volume, tokens_per_call=split.tokens_per_call, mix=split.mix,
        cache=split.cache, price=split.price, unsplit=split.unsplit,
        of_mix_new=split.of_mix_new, of_mix_gone=split.of_mix_gone,
        of_price_agreed=_agreed(before, now) if split.price and not leaf.unit else ZERO,
    )  # fmt: skip


def _agreed(before: GroupSum | None, now: GroupSum | None) -> Decimal:
    """What other discounts do: what is paid now, less what it would be at the share of the list price of
    before."""
    if before is None or now is None or before.sums["list"] <= 0 or now.sums["list"] <= 0:
        return ZERO
    at_share = prorated(now.sums["list"], before.sums["effective"], before.sums["list"])
    return EXACT.subtract(now.sums["effective"], at_share)


def _used(
    of: GroupSum | None,
    prices: Mapping[str, Decimal],
    *,
    by_unit: bool,
    after: Mapping[str, SkuUse] | None = None,
) -> dict[str, SkuUse]:
    """What one side used, by the unit that is counted (_OTHER = calls are); `after` what the other one
    did."""
    if of is None or not (of.sums["events"] or of.sums["effective"]):
        return {}  # also what was all taken back
    quantities = {unit: quantity for unit, quantity in of.usage.items() if quantity > 0}
    amounts: dict[str, Decimal] | None
    if not by_unit and after and quantities.keys() <= after[_OTHER].quantities.keys():
        amounts = {_OTHER: of.sums["effective"]}  # by unit nobody asks: each has a price of before
    else:
        amounts = _amounts(of.sums["effective"], quantities, prices)
    unsettled = _is_unsettled(of) or not quantities
    if by_unit and amounts is not None and quantities:
        return {
            unit: SkuUse(calls=quantity, quantities={unit: quantity},
                         amounts={unit: amounts.get(unit, ZERO)}, unsettled=unsettled)
            for unit, quantity in quantities.items()
        }  # fmt: skip
    return {
        _OTHER: SkuUse(
            calls=Decimal(of.sums["events"]), quantities=quantities, unsettled=unsettled or by_unit,
            amounts={_OTHER: of.sums["effective"]} if amounts is None else amounts,
            sized=amounts is not None,
        )
    }  # fmt: skip


def _amounts(
    amount: Decimal, quantities: Mapping[str, Decimal], prices: Mapping[str, Decimal]
) -> dict[str, Decimal] | None:
    """By unit; None = it is not known how much of it is for which."""
    if not amount:
        return {}
    if len(quantities) == 1:
        return dict.fromkeys(quantities, amount)
    worth = {
        unit: EXACT.multiply(prices[unit], quantity)
        for unit, quantity in quantities.items()
        if unit in prices
    }
    return shared_out(amount, worth) if worth else None


def _is_unsettled(of: GroupSum) -> bool:
    sums = of.sums
    bounds = (sums["unpriced_events"], sums["events"]), (sums["of_which_provisional"], sums["effective"])
    return any(part * 100 > abs(whole) * UNSETTLED_PERCENT_MAX for part, whole in bounds)
