"""Names that vendors have for quantities and that are no units here, read from foreign_units.toml.

Taken as units nobody knows they would be booked and cost nothing. A name that only looks like one of ours
(a slip, or tomorrow's unit) is none of these: it stays, unpriced and visible.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from spendmeter.contracts.units import LATER_UNITS, UNITS, snake_case

_ROOTS = frozenset({"gen_ai", "llm", "usage", "usage_metadata", "meta", "billed_units", "tokens"})
"""Where vendors' and OpenTelemetry's dotted names begin; any other one may be somebody's own unit."""
_INSIDE = re.compile(r"(?:^|_)usage(?:$|_metadata$)")
"""What vendors call the object that holds their quantities, however deep it lies: `response.usage.`."""
FOREIGN_UNITS_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Since when events that use such a name are refused."""
INSIDE_FROM = datetime(2026, 11, 25, 20, tzinfo=UTC)
"""Since when one of our units inside such an object is such a name, whatever stands before it."""
NAMED_MAX = 5
"""Foreign names that one refusal explains."""


class ForeignUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One name; see foreign_units.toml for what the fields mean."""

    of: str
    send: tuple[str, ...]
    why: str = ""
    since: datetime = FOREIGN_UNITS_FROM


FOREIGN_UNITS = MappingProxyType(
    msgspec.toml.decode(
        Path(__file__).with_name("foreign_units.toml").read_bytes(), type=dict[str, ForeignUnit]
    )
)


def foreign_unit(name: str) -> ForeignUnit | None:
    """What a vendor's name for a quantity means here, however it is spelt: `promptTokens`,
    `gen_ai.usage.prompt_tokens`. None where it is nobody's, or is a registered unit."""
    if name in UNITS:
        return None
    words = snake_case(name)
    for part in _lookups(words):
        if (found := FOREIGN_UNITS.get(part)) is not None:
            return found
    root, dot, _ = words.partition(".")
    own = words.rpartition(".")[2] if root in _ROOTS else words
    if own in UNITS and (dot or own != name):
        return _inside(own, FOREIGN_UNITS_FROM)
    *around, last = words.split(".")
    if last in UNITS and any(map(_INSIDE.search, around)):
        return _inside(last, INSIDE_FROM)
    return None


def _inside(unit: str, since: datetime) -> ForeignUnit:
    """One of our units in another spelling: no such name before it was a unit."""
    return ForeignUnit(of="a vendor's", send=(unit,), since=max(since, LATER_UNITS.get(unit, since)))


def _lookups(words: str) -> Iterator[str]:
    """What a dotted name may be listed as: itself without its first words, then the words before the last."""
    parts = words.split(".")
    for first in range(len(parts)):
        yield "_".join(parts[first:])
    yield from parts[:-1]


def explain_foreign_unit(name: str, names: Iterable[str]) -> str:
    """What to send instead of `name` and of the others of the event's `names` that are foreign; '' where
    `name` itself is not."""
    if foreign_unit(name) is None:
        return ""
    found = [(each, unit) for each in names if (unit := foreign_unit(each)) is not None]
    reasons = [_reason(each, unit) for each, unit in found[:NAMED_MAX]]
    if len(found) > NAMED_MAX:
        reasons.append(f"{len(found) - NAMED_MAX} more names are no units either")
    return "; ".join(reasons)


def _reason(name: str, unit: ForeignUnit) -> str:
    instead = f"send {', '.join(unit.send)}" if unit.send else "leave it out"
    why = f" ({unit.why})" if unit.why else ""
    return f"{name} is {unit.of} name and no unit here: {instead}{why}"
