"""A series: the dimensions by which spend is rolled up, grouped and filtered."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

FOLDED = "~other"
"""What a label says in the series where its values of the day were too many (`Labels.folded`)."""


WATCHED_DIMENSIONS = ("agent", "workflow", "feature", "key_id", "team", "sku", "provider")
"""In which bursts are looked for, the most telling first: what people plan is said in these."""


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One combination of dimensions; '' = the event does not have it.

    Defaults are left out of the canonical JSON, so that a dimension added later changes no existing id.
    """

    cost_class: str = ""
    provider: str = ""
    sku: str = ""
    team: str = ""
    project: str = ""
    feature: str = ""
    workflow: str = ""
    workflow_version: str = ""
    agent: str = ""
    environment: str = ""
    key_id: str = ""
    own: dict[str, str] = {}
    """Of the tenant's own dimensions those that it has, by name: none is ''."""

    def __hash__(self) -> int:
        return hash((self.provider, self.sku, self.team, self.agent, self.key_id, *self.own.values()))

    @classmethod
    def of(cls, named: Mapping[str, str]) -> Series:
        """The series of these dimensions, built-in and own alike."""
        built_in = {name: value for name, value in named.items() if name in DIMENSIONS}
        own = {name: named[name] for name in sorted(named.keys() - built_in.keys()) if named[name]}
        return cls(**built_in, own=own)

    def value(self, dimension: str) -> str:
        """What it says of a dimension, built-in or own; '' = nothing."""
        value: str = getattr(self, dimension) if dimension in _BUILT_IN else self.own.get(dimension, "")
        return value

    def columns(self) -> dict[str, object]:
        """What its row in the table `series` says of it, by column."""
        return {name: getattr(self, name) for name in (*DIMENSIONS, "own")}

    def named(self) -> dict[str, str]:
        """The dimensions that it has, built-in and own alike."""
        return {name: value for name in DIMENSIONS if (value := getattr(self, name))} | self.own


DIMENSIONS: tuple[str, ...] = tuple(name for name in Series.__struct_fields__ if name != "own")
"""Those that are built in. A tenant declares its own (contracts/dimensions.py)."""
_BUILT_IN = frozenset(DIMENSIONS)

_encode = msgspec.json.Encoder(order="deterministic").encode


def series_id(series: Series) -> bytes:
    """BLAKE2b-128 of the series' canonical JSON (fields in declared order, own dimensions in that of their
    names, defaults left out)."""
    return blake2b(_encode(series), digest_size=16).digest()
