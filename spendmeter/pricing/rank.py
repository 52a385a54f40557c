"""Which entry decides: of those that hold, the one of the highest rank."""

from __future__ import annotations

from typing import NamedTuple

from spendmeter.contracts.catalog import Price, PriceEntry
from spendmeter.pricing.conditions import Served, Specificity, admits, specificity
from spendmeter.pricing.scope import Audience, Scope


class Rank(NamedTuple):
    """How much an entry says of the tenant and of what served; parts are compared in this order."""

    audience: Audience
    model: bool
    """Whether it names models; a price does."""
    unit: bool
    """Whether it names units; a price does."""
    conditions: Specificity

    def served_alike(self, other: Rank) -> bool:
        """Whether they differ by nothing but what may differ from request to request: hour and length."""
        mine, others = self.conditions, other.conditions
        return self.audience == other.audience and (
            (mine.batch, mine.tier, mine.region) == (others.batch, others.tier, others.region)
        )

    def parts(self) -> dict[str, int]:
        """Every part by its name, in the order in which they decide."""
        return {
            **self.audience._asdict(),
            "model": self.model,
            "unit": self.unit,
            **self.conditions._asdict(),
        }


def rank(entry: PriceEntry, scope: Scope, served: Served) -> Rank | None:
    """The rank of an entry, of a price for its own unit; None = not for this tenant or for what served."""
    audience = scope.audience(entry) if admits(entry.when, served) else None
    if audience is None:
        return None
    model, unit = (True, True) if isinstance(entry, Price) else (bool(entry.skus), bool(entry.units))
    return Rank(audience, model, unit, specificity(entry.when, served))
