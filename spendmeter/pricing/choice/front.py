"""Which models are worth a look: the front over cost, time and success; and one score of all three. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from spendmeter.contracts.money import EXACT, ZERO, divided

Where = Literal["front", "dominated", "unknown"]
_MS = Decimal(1000)


class ModelStanding(Struct, frozen=True, kw_only=True):
    """A model by what it is judged by; None = nobody has measured it, or it has no price."""

    name: str
    cost_low: Decimal | None
    cost_high: Decimal | None
    p95_ms: Decimal | None
    success: Decimal | None
    """Share of calls, 0 to 1."""

    @property
    def is_known(self) -> bool:
        """Whether all three are."""
        return None not in (self.cost_low, self.cost_high, self.p95_ms, self.success)


def dominates(one: ModelStanding, other: ModelStanding) -> bool:
    """Whether it is surely no worse in any respect and surely better in one. What is not known of either is
    no proof, so nothing is said by it."""
    if not (one.is_known and other.is_known):
        return False
    assert one.cost_high is not None and other.cost_low is not None  # is_known, for mypy
    assert one.p95_ms is not None and other.p95_ms is not None
    assert one.success is not None and other.success is not None
    if one.cost_high > other.cost_low or one.p95_ms > other.p95_ms or one.success < other.success:
        return False
    return one.cost_high < other.cost_low or one.p95_ms < other.p95_ms or one.success > other.success


def front(standings: Sequence[ModelStanding]) -> list[tuple[Where, list[str]]]:
    """Of each, in their order: where it stands, and by whom it is dominated."""
    found: list[tuple[Where, list[str]]] = []
    for each in standings:
        by = [other.name for other in standings if dominates(other, each)]
        found.append(("unknown" if not each.is_known else "dominated" if by else "front", by))
    return found


class Score(Struct, frozen=True, kw_only=True):
    """What a call is worth avoiding, in money: its cost, its share of errors at their price, and its seconds
    at theirs. None = a part of it is not known."""

    cost_low: Decimal | None
    cost_high: Decimal | None
    errors: Decimal | None
    waiting: Decimal | None
    low: Decimal | None
    high: Decimal | None


def score(
    standing: ModelStanding, mean_ms: Decimal | None, *, price_per_error: Decimal, price_per_second: Decimal
) -> Score:
    """Of a standing whose costs are of one call. Errors count by their share and waiting by its mean, for
    both are paid by every call; what has no price is not asked for."""
    errors = _part(price_per_error, None if standing.success is None else 1 - standing.success)
    waiting = _part(price_per_second, None if mean_ms is None else divided(mean_ms, _MS))
    low = high = None
    if errors is not None and waiting is not None:
        beside = EXACT.add(errors, waiting)
        low = None if standing.cost_low is None else EXACT.add(standing.cost_low, beside)
        high = None if standing.cost_high is None else EXACT.add(standing.cost_high, beside)
    return Score(
        cost_low=standing.cost_low,
        cost_high=standing.cost_high,
        errors=errors,
        waiting=waiting,
        low=low,
        high=high,
    )


def _part(price: Decimal, quantity: Decimal | None) -> Decimal | None:
    if not price:
        return ZERO
    return None if quantity is None else EXACT.multiply(price, quantity)
