"""How many tokens a model puts out at most: what a call that states no maximum is bounded by (bound.py)."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from spendmeter.pricing.price_lists import Sku

FILE = Path(__file__).with_name("catalog") / "output_limits.json"


class OutputLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As they are shipped."""

    source: str
    most: dict[str, dict[str, int]]
    """By provider and sku, by the names of our catalog."""


@lru_cache(maxsize=1)
def shipped_output_limits() -> Mapping[Sku, int]:
    """Of the models of the shipped catalog that a public list has a limit of; a limit is the vendor's, and
    nobody here has confirmed it: a caller's own maximum, which the vendor enforces, goes before it."""
    limits = msgspec.json.decode(FILE.read_bytes(), type=OutputLimits)
    return {(provider, sku): most for provider, skus in limits.most.items() for sku, most in skus.items()}
