"""verify's own sums of what it walked past, by tenant, hour and currency: a bounded number. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

SUMS_MAX = 50_000
"""Sums kept apart, about 600 bytes each; what comes after them goes into one sum, the others'."""

HourKey = tuple[str, datetime, str]
"""(tenant, hour, currency)."""
COLUMNS = ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")


@dataclass(slots=True)
class HourSum:
    """Events and amounts; `worth` is what the price table says that the list amounts should be."""

    events: int = 0
    unpriced_events: int = 0
    list: Decimal = Decimal(0)
    contracted: Decimal = Decimal(0)
    effective: Decimal = Decimal(0)
    of_which_provisional: Decimal = Decimal(0)
    worth: Decimal = Decimal(0)
    undecided: bool = False
    """Whether it holds an event that the price table cannot price."""


@dataclass
class HourSums:
    """One sum by key, and one for all that there was no room for."""

    sums_max: int = SUMS_MAX
    by_key: dict[HourKey, HourSum] = field(default_factory=dict)
    others: HourSum = field(default_factory=HourSum)

    def of(self, key: HourKey) -> HourSum:
        """The sum to add to."""
        found = self.by_key.get(key)
        if found is None:
            if len(self.by_key) >= self.sums_max:
                return self.others
            found = self.by_key[key] = HourSum()
        return found

    def all(self) -> Iterator[tuple[str, str, HourSum]]:
        """(name, currency, sum); the others have no currency."""
        for (tenant, hour, currency), found in self.by_key.items():
            yield f"{tenant} in {hour:%Y-%m-%dT%H}Z", currency, found
        yield "all other tenants and hours", "", self.others
