"""What an amount is measured by: events, tokens, list prices, and how much of it is tokens at all. Pure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from services.api.spend.closed import GroupSum
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, total

MODEL = "model"
"""The class of cost that tokens are of."""
UNPRICED_PERCENT_MAX = 1
"""Of more events without a price, nobody knows what one costs."""
_THOUSAND = Decimal(1000)
RATIOS = ("per_event", "per_1k_tokens", "token_share", "cache_hit_rate", "discount")


def ratios_of(of: GroupSum, model: GroupSum | None) -> dict[str, str | None]:
    """By name, of effective cost; None = there is nothing to divide by, or too much of it has no price.
    `model`: the part of it that is calls to models, None = none of it is.

    per_event = cost / events with a price; per_1k_tokens = cost of models / their tokens, times 1,000,
    where all of them have a price, for one without may hold most of the tokens; token_share = cost of models
    / all cost; cache_hit_rate = cache-read input / all input; discount = 1 - cost / list cost."""
    sums, effective = of.sums, of.sums["effective"]
    priced = sums["events"] - sums["unpriced_events"]
    tokens = _sum(model, lambda unit: unit.endswith("_tokens"))
    paid = model.sums["effective"] if model else ZERO
    listed = sums["list"]
    known = {
        "per_event": _ratio(effective, Decimal(priced)) if _is_known(of) else None,
        "per_1k_tokens": _ratio(EXACT.multiply(paid, _THOUSAND), tokens) if _is_all_priced(model) else None,
        "token_share": _share(paid, effective) if _is_known(of) and _is_known(model) else None,
        "cache_hit_rate": _ratio(_sum(model, _is_read), _sum(model, _is_input)),
        "discount": _ratio(EXACT.subtract(listed, effective), listed),
    }
    return {name: None if value is None else plain(value) for name, value in known.items()}


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return divided(part, whole) if whole > 0 else None


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    """None where credits make of a part more than the whole, or less than nothing."""
    return _ratio(part, whole) if 0 <= part <= whole else None


def _is_known(of: GroupSum | None) -> bool:
    return of is None or of.sums["unpriced_events"] * 100 <= of.sums["events"] * UNPRICED_PERCENT_MAX


def _is_all_priced(of: GroupSum | None) -> bool:
    return of is None or not of.sums["unpriced_events"]


def _sum(of: GroupSum | None, has: Callable[[str], bool]) -> Decimal:
    return total(quantity for unit, quantity in of.usage.items() if has(unit)) if of else ZERO


def _is_read(unit: str) -> bool:
    return unit.startswith("cache_read_") and unit.endswith("_tokens")


def _is_input(unit: str) -> bool:
    return unit.startswith(("input_", "cache_read_", "cache_write_")) and unit.endswith("_tokens")
