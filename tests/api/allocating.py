"""Rows of the book and pools for tests of allocation, written short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from services.api.allocations.allocating import Allocated, BookedSum, CostLine, DriverQuantity, filter_of
from services.api.allocations.plan import CostPool, Driver
from spendmeter.contracts.money import total

EFFECTIVE = 2
DATABASE = {"provider": "pinecone"}


def booked(
    value: str,
    effective: str,
    *within: Mapping[str, str],
    currency: str = "USD",
    sku: str = "",
    events: int = 1,
    unpriced: int = 0,
) -> BookedSum:
    """A row of the dimension's `value`; list twice as much, contracted the same."""
    amount = Decimal(effective)
    return BookedSum(
        value,
        CostLine(currency, "model", "openai", sku),
        frozenset(map(filter_of, within)),
        events,
        unpriced,
        (amount * 2, amount, amount, Decimal(0), Decimal(0)),
    )


def used(value: str, quantity: str, unit: str = "requests", *within: Mapping[str, str]) -> DriverQuantity:
    return DriverQuantity(value, frozenset(map(filter_of, within or [{}])), unit, Decimal(quantity))


def pool(name: str = "database", filter: Mapping[str, str] = DATABASE, **terms: Any) -> CostPool:
    if "driver" in terms:
        terms["driver"] = Driver(**terms["driver"])
    return CostPool(name=name, filter=dict(filter), **terms)


def shares(found: Allocated, currency: str = "USD", place: int = EFFECTIVE) -> dict[str, str]:
    """What each cost centre has of pools; "" = the residual."""
    names = dict.fromkeys(share.target.name for share in found.shares if share.line.currency == currency)
    return {
        name: f"{_sum(s.amounts[place] for s in found.shares if s.target.name == name and s.line.currency == currency):f}"
        for name in names
    }


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return total(amounts).normalize()
