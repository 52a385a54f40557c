"""The unit registry, read from units.toml."""

import re
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

ALIKE_MIN = 0.8
"""Of difflib. From here on names differ by a letter or a word; below, another vendor's word for a thing
(prompt_tokens) is closer to a wrong unit (output_tokens) than to the right one."""
PER_EVENT_MAX = 10**15
"""Of a unit without a bound of its own, also of one that nobody registered: a petabyte in bytes."""
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Unit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One registered unit; see units.toml for what the fields mean."""

    about: str
    parent: str | None = None
    dearer: bool = False
    fee: bool = False
    instead_of: str = ""
    whole: bool = False
    context: bool = False
    per_event_max: int = PER_EVENT_MAX
    since: datetime | None = None
    genai: dict[str, int] = {}
    litellm: dict[str, str] = {}
    openrouter: str = ""


UNITS = MappingProxyType(
    msgspec.toml.decode(Path(__file__).with_name("units.toml").read_bytes(), type=dict[str, Unit])
)
WHOLE_UNITS = frozenset(name for name, unit in UNITS.items() if unit.whole and unit.since is None)
"""Of the first registry alone: what a later unit asks of a quantity holds from its `since` on (`gate.py`)."""
LATER_UNITS = MappingProxyType({name: unit.since for name, unit in UNITS.items() if unit.since is not None})
"""Units that joined the registry when events were booked already, and from when on each is one."""
DEARER_UNITS = frozenset(name for name, unit in UNITS.items() if unit.dearer)
FEE_UNITS = frozenset(name for name, unit in UNITS.items() if unit.fee)


def nearest_unit(name: str, known: Iterable[str]) -> str | None:
    """The known unit that a name which is none of them was probably meant to be: `inputTokens`, `input_token`
    and `tokens-input` are all input_tokens. None = nothing is near."""
    words = snake_case(name).replace(" ", "_")
    by_words = {"_".join(sorted(unit.split("_"))): unit for unit in sorted(known)}
    spelt = get_close_matches(words, by_words.values(), n=1, cutoff=ALIKE_MIN)
    if spelt:
        return spelt[0]
    in_order = "_".join(sorted(words.split("_")))
    nearest = get_close_matches(in_order, by_words, n=1, cutoff=ALIKE_MIN)
    return by_words[nearest[0]] if nearest else None


def snake_case(name: str) -> str:
    """The name in lower case with underscores, as units are spelt: promptTokens and prompt-tokens alike."""
    return _CAMEL_HUMP.sub("_", name).lower().replace("-", "_")
