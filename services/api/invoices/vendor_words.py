"""What `vendor_words.toml` says of the words of vendors' bills. Pure."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DATA: Mapping[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
OPENAI: Mapping[str, Any] = _DATA["openai"]
ANTHROPIC: Mapping[str, Mapping[str, str]] = _DATA["anthropic"]
FOCUS: Mapping[str, Any] = _DATA["focus"]
AWS: Mapping[str, Any] = _DATA["aws"]
FEE_UNITS = frozenset(_DATA["fees"]["units"])
LEFT_OUT: Mapping[str, list[str]] = _DATA["left_out"]
STANDARD, BATCH, SHORT, LONG, ANYWHERE = "standard", "batch", "short", "long", "global"
_CACHES = {unit: (family, kind) for family, units in _DATA["caches"].items() for unit, kind in units.items()}


def tier_of(written: str | None, batch: bool | None = None) -> str | None:
    """Ours of a bill's, or of an event's; None = the bill tells none apart."""
    if written is None and batch is None:
        return None
    name = (written or "").strip().lower()
    return BATCH if batch else _DATA["tiers"].get(name, name)


def region_of(written: str | None) -> str | None:
    """The same of a region."""
    if written is None:
        return None
    name = written.strip().lower()
    found: str = _DATA["regions"].get(name, name)
    return found


def context_of(written: str | None) -> str | None:
    """The same of a length of context."""
    return None if written is None else _DATA["contexts"].get(written, written)


def counted_as(unit: str) -> str:
    """What bills count a unit of ours as."""
    found: str = _DATA["counted_as"].get(unit, unit)
    return found


def family_of(unit: str) -> tuple[str, str]:
    """Of which units a unit differs in nothing but in what a cache did, and what it did."""
    return _CACHES.get(unit, (unit, ""))
