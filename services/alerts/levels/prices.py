"""What days would have cost at today's prices: quantity at constant price. Pure.

A price is compared entry by entry of the price list: where a day's unit was priced by an entry that prices
it today as well, the change is that entry's (a contract, an exchange rate), whatever else was used. Where
none is shared, the list has changed, and the mean price of the unit is compared. So a longer context, another
tier or a better time of day, which have entries of their own, are use, and no price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.alerts.cause.weighing import SkuName
from spendmeter.contracts.money import EXACT, ZERO, divided, total


class ServedUnit(NamedTuple):
    """A unit of a sku as it is served."""

    provider: str
    sku: str
    unit: str
    tier: str
    region: str
    batch: bool


@dataclass(frozen=True, kw_only=True)
class PricedUse:
    """What was used of one unit at one entry on one day, and what that came to."""

    day: date
    key: ServedUnit
    entry: str
    quantity: Decimal
    effective: Decimal


_ByEntry = dict[str, PricedUse]


def at_todays_prices(used: Iterable[PricedUse]) -> dict[tuple[date, SkuName], Decimal]:
    """By day and sku, times what the day's money is what it would have been at the prices of the last day on
    which each unit was used; 1 is left out."""
    days: defaultdict[ServedUnit, dict[date, _ByEntry]] = defaultdict(dict)
    for each in used:
        if each.quantity > 0 and each.effective > 0:
            days[each.key].setdefault(each.day, {})[each.entry] = each
    sums: defaultdict[tuple[date, SkuName], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for key, by_day in days.items():
        today = by_day[max(by_day)]
        for day, then in by_day.items():
            came_to = total(each.effective for each in then.values())
            here = sums[day, (key.provider, key.sku)]
            here[0] = EXACT.add(here[0], came_to)
            here[1] = EXACT.add(here[1], EXACT.multiply(came_to, _change(then, today)))
    factors = {place: divided(now, then) for place, (then, now) in sums.items()}
    return {place: factor for place, factor in factors.items() if factor != 1}


def unit_prices(used: Iterable[PricedUse]) -> dict[SkuName, dict[str, Decimal]]:
    """The mean price of each sku's units."""
    sums: defaultdict[tuple[SkuName, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for each in used:
        here = sums[(each.key.provider, each.key.sku), each.key.unit]
        here[0], here[1] = EXACT.add(here[0], each.quantity), EXACT.add(here[1], each.effective)
    found: defaultdict[SkuName, dict[str, Decimal]] = defaultdict(dict)
    for (sku, unit), (quantity, effective) in sums.items():
        if quantity > 0:
            found[sku][unit] = divided(effective, quantity)
    return dict(found)


def _change(then: Mapping[str, PricedUse], today: Mapping[str, PricedUse]) -> Decimal:
    """Today's price over that of `then`."""
    shared = then.keys() & today.keys()
    if shared:
        before = total(then[entry].effective for entry in shared)
        now = total(EXACT.multiply(then[entry].quantity, _price([today[entry]])) for entry in shared)
        return _steady(divided(now, before))
    return _steady(divided(_price(today.values()), _price(then.values())))


def _price(used: Iterable[PricedUse]) -> Decimal:
    used = list(used)
    return divided(total(each.effective for each in used), total(each.quantity for each in used))


def _steady(change: Decimal) -> Decimal:
    """Roundings of single events are no change of a price."""
    return Decimal(1) if abs(change - 1) < Decimal("0.001") else change
