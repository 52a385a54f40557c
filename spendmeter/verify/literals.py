"""The price table: literals that a person wrote down, and nothing else.

currency = "USD"

[parents]                      # the unit whose price applies where a sku has none of its own
cache_read_tokens = "input_tokens"

[prices."openai/gpt-4o"]       # one unit, as a string
input_tokens = "0.0000025"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from spendmeter.verify.usage import EventReading


@dataclass(frozen=True, kw_only=True)
class Literals:
    """Prices of one unit by provider/sku and unit, in `currency`."""

    currency: str
    prices: Mapping[str, Mapping[str, Decimal]]
    """With those that a unit has by its parent."""

    def amount(self, event: EventReading) -> Decimal | None:
        """What the event costs at list, exactly; None when the table cannot tell."""
        if event.reported is not None:
            own = event.reported["currency"] == self.currency
            return Decimal(event.reported["amount"]) if own else None
        if event.charge is not None:
            return Decimal(event.charge["list"]) if event.charge["currency"] == self.currency else None
        if not event.plain_terms:
            return None
        prices = self.prices.get(f"{event.provider}/{event.sku}", {})
        total = Decimal(0)
        for unit, quantity in event.usage.items():
            price = prices.get(unit)
            if price is None:
                return None
            total += quantity * price
        return total


def load(path: Path) -> Literals:
    """Read a table. Raises ValueError naming what is not a literal, OSError."""
    table: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    parents: dict[str, str] = table.get("parents", {})
    prices: dict[str, dict[str, Decimal]] = {}
    for sku, units in table["prices"].items():
        for unit, price in units.items():
            if not isinstance(price, str):
                raise ValueError(  # noqa: TRY004 - one error for a bad table
                    f"{path.name}: the price of {unit} of {sku} must be a string (a float is no money)"
                )
        own = {unit: Decimal(price) for unit, price in units.items()}
        inherited = {unit: _inherited(unit, own, parents) for unit in parents}
        prices[sku] = {unit: price for unit, price in inherited.items() if price is not None} | own
    return Literals(currency=table["currency"], prices=prices)


def _inherited(unit: str, own: Mapping[str, Decimal], parents: Mapping[str, str]) -> Decimal | None:
    if unit in own or unit not in parents:
        return own.get(unit)
    return _inherited(parents[unit], own, parents)
