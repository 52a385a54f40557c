"""Why a scope costs more than it did: what it used of each sku before, and since. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from services.alerts.cause.explanation import PARTS
from services.alerts.cause.weighing import SkuName, SpanUse, UnitPrices, sku_use
from spendmeter.book.split import SkuUse, split_change
from spendmeter.contracts.money import EXACT, divided, plain, total


class LevelUse(NamedTuple):
    """Of one sku, in the weeks before or since."""

    sku: SkuName
    now: bool
    used: SpanUse


def split_of(
    uses: Iterable[LevelUse], expected: Decimal, worth_before: Decimal, before: UnitPrices, now: UnitPrices
) -> dict[str, str]:
    """The parts of the change, as `details` keep them: they sum to `change`. `worth_before`: what the weeks
    before came to at today's prices, which is brought to `expected`; prices are a part of their own."""
    sides: tuple[dict[str, SkuUse], dict[str, SkuUse]] = {}, {}
    for use in uses:
        name = "/".join(use.sku)
        if use.now:
            sides[1][name] = sku_use(use.used, now.get(use.sku) or before.get(use.sku))
        else:
            sides[0][name] = _brought(
                sku_use(use.used, before.get(use.sku) or now.get(use.sku)), expected, worth_before
            )
    split = split_change(*sides)
    parts = {name: getattr(split, name) for name in PARTS}
    assert total(parts.values()) == split.change
    return {name: plain(amount) for name, amount in parts.items()} | {"change": plain(split.change)}


def _brought(use: SkuUse, expected: Decimal, over: Decimal) -> SkuUse:
    def bring(value: Decimal) -> Decimal:
        return divided(EXACT.multiply(value, expected), over)

    return SkuUse(
        calls=bring(use.calls),
        quantities=_each(use.quantities, bring),
        amounts=_each(use.amounts, bring),
        unsettled=use.unsettled,
    )


def _each(values: Mapping[str, Decimal], bring: Callable[[Decimal], Decimal]) -> dict[str, Decimal]:
    return {name: bring(value) for name, value in values.items()}
