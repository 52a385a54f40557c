"""The fields of LiteLLM's price file that are no prices: which say nothing of money, which are words for
people, and the names of all others, so that none vanishes unseen."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RULES: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("litellm.toml").read_text("utf-8"))
WORDS_CHARACTERS_MAX = 300
"""Of one field, in a model's note."""

_NO_PRICE = frozenset(name for name in RULES["no_price"] if not name.endswith(".*"))
_NO_PRICE_INSIDE = tuple(name.removesuffix("*") for name in RULES["no_price"] if name.endswith(".*"))
_FLAG_STARTS = tuple(RULES["flag_starts"])
_WORDS = frozenset(RULES["words"])


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A field with those inside it, by dotted name; nothing where it says nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(f"{name}.{key}", inner)
    elif value is not None:
        yield name, value


def may_be_a_price(name: str, value: Any) -> bool:
    """Whether nothing says that the field is no price. A flag is none only where it is true or false:
    `supports_x: true` is none, and `supports_x: 0.5` may be."""
    if name in _NO_PRICE or name.startswith(_NO_PRICE_INSIDE):
        return False
    if isinstance(value, bool) and name.startswith(_FLAG_STARTS):
        return False
    return not (name in _WORDS and isinstance(value, str))


def unknown_fields(name: str, value: Any) -> set[str]:
    """Of a field, and of those inside it, what may be a price and is not taken over."""
    return {leaf for leaf, inner in leaves(name, value) if may_be_a_price(leaf, inner)}


def words(model: Mapping[str, Any]) -> list[str]:
    """What the file says of the model to people."""
    said = (leaf for name, value in model.items() for leaf in leaves(name, value))
    return [
        f"{name}: {text:.{WORDS_CHARACTERS_MAX}}"
        for name, text in said
        if name in _WORDS and isinstance(text, str)
    ]
