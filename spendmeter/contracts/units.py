"""The unit registry, read from units.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct, convert


class Unit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One registered unit; see units.toml for what the fields mean."""

    about: str
    parent: str | None = None
    whole: bool = False
    context: bool = False


UNITS = MappingProxyType(
    convert(tomllib.loads(Path(__file__).with_name("units.toml").read_text("utf-8")), dict[str, Unit])
)
WHOLE_UNITS = frozenset(name for name, unit in UNITS.items() if unit.whole)
CONTEXT_UNITS = frozenset(name for name, unit in UNITS.items() if unit.context)
