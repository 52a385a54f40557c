"""The price table: literals that a person wrote down, and nothing else.

currency = "USD"

[parents]                      # the unit whose price applies where a sku has none of its own
cache_read_tokens = "input_tokens"

[prices."openai/gpt-4o"]       # one unit, as a string
input_tokens = "0.0000025"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from spendmeter.verify.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Literals:
    """Prices of one unit by (provider/sku, unit), in `currency`."""

    currency: str
    parents: dict[str, str]
    prices: dict[tuple[str, str], Decimal]

    def amount(self, event: Usage) -> Decimal | None:
        """What the event costs at list, exactly; None when the table cannot tell."""
        if event.reported is not None:
            own = event.reported["currency"] == self.currency
            return Decimal(event.reported["amount"]) if own else None
        if not event.plain_terms:
            return None
        total = Decimal(0)
        sku = f"{event.provider}/{event.sku}"
        for unit, quantity in event.usage.items():
            price = self._price(sku, unit)
            if price is None:
                return None
            total += quantity * price
        return total

    def _price(self, sku: str, unit: str) -> Decimal | None:
        price = self.prices.get((sku, unit))
        if price is None and unit in self.parents:
            return self._price(sku, self.parents[unit])
        return price


def load(path: Path) -> Literals:
    """Read a table. Raises ValueError naming what is not a literal, OSError."""
    table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    prices = {}
    for sku, units in table["prices"].items():
        for unit, price in units.items():
            if not isinstance(price, str):
                raise ValueError(  # noqa: TRY004 - one error for a bad table
                    f"{path.name}: the price of {unit} of {sku} must be a string (a float is no money)"
                )
            prices[sku, unit] = Decimal(price)
    return Literals(currency=table["currency"], parents=table.get("parents", {}), prices=prices)
