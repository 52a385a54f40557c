"""How many tokens the same text is by another model's tokenizer: an interval, and where it comes from. Pure.

It is about text alone. That a model says the same in fewer words, or thinks longer, nobody can know before it
was tried; docs/model-choice.md says so.
"""

from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from spendmeter.contracts.money import divided
from spendmeter.contracts.units import UNITS

SEEN_DIFFERENTLY = ("image", "audio", "video")
"""Media whose tokens each vendor counts in its own way."""
GROWING = frozenset(
    unit
    for unit in UNITS
    if unit.endswith(("_tokens", "_token_hours")) and not any(each in unit for each in SEEN_DIFFERENTLY)
)
"""Units that count text."""

NAMES_MAX = 10_000
"""Remembered; senders choose them."""

Basis = Literal["same", "measured", "vendor", "tenant", "assumed"]


class TokenGrowth(Struct, frozen=True, kw_only=True):
    """Factors, at least and at most, on quantities of text."""

    low: Decimal
    high: Decimal
    basis: Basis
    source: str


SAME = TokenGrowth(low=Decimal(1), high=Decimal(1), basis="same", source="the same tokenizer")


class _Pair(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    start: str = field(name="from")
    to: str
    low: Decimal
    high: Decimal
    basis: Basis
    source: str


class _Unknown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    low: Decimal
    high: Decimal
    source: str


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    unknown: _Unknown
    tokenizers: dict[str, list[str]]
    pairs: list[_Pair]


@lru_cache(maxsize=1)
def _read() -> _File:
    text = Path(__file__).with_name("growth.toml").read_bytes()
    return msgspec.toml.decode(text, type=_File)


@lru_cache(maxsize=NAMES_MAX)
def tokenizer_of(sku: str) -> str:
    """The tokenizer that a model's name says; '' = none that is known."""
    name = sku.lower().rpartition("/")[2]
    for tokenizer, patterns in _read().tokenizers.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return tokenizer
    return ""


def growth_between(own: str, other: str, stated: TokenGrowth | None = None) -> TokenGrowth:
    """From the tokens of `own` to those of `other`, by their skus; `stated`: what the tenant says itself."""
    if own.lower() == other.lower():
        return SAME
    if stated is not None:
        return stated
    return _between(tokenizer_of(own), tokenizer_of(other))


@lru_cache(maxsize=NAMES_MAX)
def _between(start: str, to: str) -> TokenGrowth:
    if start and start == to:
        return SAME
    for pair in _read().pairs:
        if (pair.start, pair.to) == (start, to):
            return TokenGrowth(low=pair.low, high=pair.high, basis=pair.basis, source=pair.source)
        if (pair.to, pair.start) == (start, to):
            return inverse(TokenGrowth(low=pair.low, high=pair.high, basis=pair.basis, source=pair.source))
    unknown = _read().unknown
    return TokenGrowth(low=unknown.low, high=unknown.high, basis="assumed", source=unknown.source)


def inverse(growth: TokenGrowth) -> TokenGrowth:
    """The way back."""
    if growth.basis == "same":
        return growth
    one = Decimal(1)
    low, high = divided(one, growth.high), divided(one, growth.low)
    return TokenGrowth(low=low, high=high, basis=growth.basis, source=f"the way back of: {growth.source}")
