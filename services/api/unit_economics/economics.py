"""Ratios of what models were used for and what that cost. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.api.spend.ratios import UNPRICED_PERCENT_MAX
from services.api.unit_economics.models import UnitEconomicsRow
from spendmeter.contracts.money import ZERO, divided, quantised, total
from spendmeter.contracts.units import UNITS

TOKENS = sorted(unit for unit in UNITS if unit.endswith("_tokens") and unit != "training_tokens")
READ = ["cache_read_tokens"]
WRITTEN = sorted(unit for unit in UNITS if unit.startswith("cache_write_") and unit.endswith("_tokens"))
"""Text alone: sound and pictures have prices of their own, and few are cached."""


def row_of(
    row: Mapping[str, Any], dimensions: Sequence[str], calls: Mapping[str, Any] | None
) -> UnitEconomicsRow:
    """A row of the statement `units`, with that of `calls` of its group."""
    attempts, succeeded = (calls["attempts"], calls["succeeded"]) if calls else (0, 0)
    read, written, uncached = (
        row[name] for name in ("cache_read_tokens", "cache_written_tokens", "uncached_tokens")
    )
    metered = row["cost"] - row["billed"]
    named = (
        "requests",
        "unpriced_requests",
        "cost",
        "billed",
        "of_which_provisional",
        "unpriced_events",
        "tokens",
        "unpriced_tokens",
        "uncached_tokens",
    )
    return UnitEconomicsRow(
        **dict(zip(dimensions, row["key"], strict=True)),
        currency=row["currency"],
        **{name: row[name] for name in named},
        lower_bound=bool(row["unpriced_events"]),
        cost_per_request=_each(metered, _priced(row, "requests")),
        cost_per_1k_tokens=_each(1000 * metered, _priced(row, "tokens")),
        cache_read_tokens=read,
        cache_written_tokens=written,
        cache_hit_rate=_each(read, uncached + read + written),
        **_return(row),
        not_compared_tokens=row["not_compared_tokens"] + row["uncached_not_compared_tokens"],
        attempts=attempts,
        succeeded=succeeded,
        attempts_per_success=_each(Decimal(attempts), Decimal(succeeded)),
    )


def _priced(row: Mapping[str, Any], name: str) -> Decimal:
    """Of what there is the part that has a price, as the cost has; 0 = too little of it for a ratio."""
    unpriced: Decimal = row[f"unpriced_{name}"]
    known = unpriced * 100 <= row[name] * UNPRICED_PERCENT_MAX
    return row[name] - unpriced if known else ZERO


def _return(row: Mapping[str, Any]) -> dict[str, Decimal | None]:
    """Input-side cost with the cache and without it: all of it, for what is written costs more."""
    compared = row["cache_read_tokens"] + row["cache_written_tokens"] - row["not_compared_tokens"]
    names = ("input_cost", "input_cost_without_cache", "cache_return", "cache_return_percent")
    if compared <= 0:
        return dict.fromkeys(names)
    paid = total((row["uncached_cost"], row["cached_cost"]))
    without = quantised(row["uncached_cost"] + row["cached_cost_without"])
    return dict(
        zip(names, (paid, without, without - paid, _each(100 * (without - paid), without)), strict=True)
    )


def _each(above: Decimal, below: Decimal) -> Decimal | None:
    return divided(above, below) if below > 0 else None
