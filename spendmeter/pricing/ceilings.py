"""The dearest of all that sellers have, whatever it is: what bounds a model that nobody knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from spendmeter.contracts.catalog import Adjustment, Price
from spendmeter.pricing.conditions import Bounds
from spendmeter.pricing.dearest import CallsWithin, Dearest, of_each_currency, product
from spendmeter.pricing.decision import Decision, decide_by
from spendmeter.pricing.price_lists import PriceLists
from spendmeter.pricing.scope import Scope


class _Priced(NamedTuple):
    """A price that a unit may take, and when."""

    sku: str
    price: Price
    decision: Decision
    bounds: Bounds


class Ceilings:
    """`Ceilings(lists...)`, of confirmed prices and of others; README.md says what it remembers."""

    def __init__(self, *lists: PriceLists) -> None:
        self._lists = lists
        self._by_seller: dict[str, list[tuple[str, Price]]] = {}
        self._priced: dict[tuple[str, str], Sequence[Sequence[_Priced]]] = {}
        self._fees: dict[str, frozenset[str]] = {}
        self._adjusted: dict[str, Sequence[tuple[Adjustment, Bounds]]] = {}

    def dearest(
        self,
        sellers: Iterable[str],
        skus: Collection[str] = (),
        *,
        scope: Scope,
        unit: str,
        calls: CallsWithin,
    ) -> list[Dearest]:
        """What one `unit` of any of these skus (none = of any) of these sellers costs at most, however it is
        served, in each currency, times every factor above 1 that a seller has."""
        found: list[Dearest] = []
        for seller in sorted(set(sellers)):
            factors = self._factors(seller, scope, unit, calls)
            for prices in self._prices(seller, unit):
                counting = (
                    Dearest(each.decision, *factors)
                    for each in prices
                    if not skus or each.sku in skus
                    if scope.includes(each.price) and calls.meets(each.bounds)
                )
                found += islice(counting, 1)
        return of_each_currency(found)

    def fees(self, seller: str) -> frozenset[str]:
        """The units of what a seller charges once an event."""
        if seller not in self._fees:
            if not (prices := self._of(seller)):
                return frozenset()
            self._fees[seller] = frozenset(price.unit for _, price in prices if price.per_event)
        return self._fees[seller]

    def _of(self, seller: str) -> list[tuple[str, Price]]:
        if not self._by_seller:
            for lists in self._lists:
                for (owner, sku), prices in lists.prices.items():
                    self._by_seller.setdefault(owner, []).extend((sku, price) for price in prices)
        return self._by_seller.get(seller, [])

    def _prices(self, seller: str, unit: str) -> Sequence[Sequence[_Priced]]:
        """Of the unit, and of those whose price it takes where it has none: those of each currency, the
        dearest first, so that who seeks it is done with the first that may count."""
        key = seller, unit
        if key not in self._priced:
            calendars, lineage = self._lists[0].calendars, set(self._lists[0].lineage(unit))
            priced = [
                _Priced(sku, price, decide_by(price, unit), Bounds(price.when, calendars))
                for sku, price in self._of(seller)
                if price.unit in lineage
            ]
            if not lineage or not priced:
                return ()
            grouped: defaultdict[str, list[_Priced]] = defaultdict(list)
            for each in sorted(priced, key=lambda each: each.decision.per_unit, reverse=True):
                grouped[each.decision.currency].append(each)
            self._priced[key] = list(grouped.values())
        return self._priced[key]

    def _adjustments(self, seller: str) -> Sequence[tuple[Adjustment, Bounds]]:
        if seller not in self._adjusted:
            calendars, found = self._lists[0].calendars, self._lists[0].adjustments_of(seller)
            if not found:
                return ()
            self._adjusted[seller] = [(each, Bounds(each.when, calendars)) for each in found]
        return self._adjusted[seller]

    def _factors(
        self, seller: str, scope: Scope, unit: str, calls: CallsWithin
    ) -> tuple[Decimal, tuple[str, ...]]:
        greatest: dict[tuple[str, str], Decimal] = {}
        for each, bounds in self._adjustments(seller):
            about = (not each.units or unit in each.units) and scope.includes(each)
            if about and calls.meets(bounds):
                name = each.kind, each.name
                greatest[name] = max(greatest.get(name, Decimal(1)), Decimal(each.factor))
        return product(greatest)
