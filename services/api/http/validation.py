"""Why a parameter or field is refused, in our words: what it must be, never what was sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_QUOTED = re.compile(r"'([^']*)'")
_DOCS = "/docs shows what it takes"

Facts = Mapping[str, Any]


def _one_of(facts: Facts) -> str:
    return f"must be one of {', '.join(_QUOTED.findall(str(facts['expected'])))}"


def _length(word: str, bound: str, thing: str) -> Callable[[Facts], str]:
    return lambda facts: f"must have at {word} {facts[bound]} {thing}{'' if facts[bound] == 1 else 's'}"


_REASONS: Mapping[str, str | Callable[[Facts], str]] = {
    "missing": "is needed",
    "literal_error": _one_of,
    "enum": _one_of,
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number, without a fraction",
    "int_type": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "decimal_parsing": "must be a plain decimal number such as 12.5",
    "decimal_type": "must be a plain decimal number such as 12.5",
    "decimal_max_digits": lambda facts: f"must have at most {facts['max_digits']} digits",
    "decimal_max_places": lambda facts: f"must have at most {facts['decimal_places']} digits after the point",
    "decimal_whole_digits": lambda facts: (
        f"must have at most {facts['whole_digits']} digits before the point"
    ),
    "finite_number": "must be a finite number",
    "greater_than": lambda facts: f"must be more than {facts['gt']}",
    "greater_than_equal": lambda facts: f"must be at least {facts['ge']}",
    "less_than": lambda facts: f"must be less than {facts['lt']}",
    "less_than_equal": lambda facts: f"must be at most {facts['le']}",
    "string_type": "must be a text, in quotes",
    "string_too_short": _length("least", "min_length", "character"),
    "string_too_long": _length("most", "max_length", "character"),
    "string_pattern_mismatch": "holds a character that may not be in it, or lacks its form",
    "string_unicode": "must be text in UTF-8",
    "too_short": _length("least", "min_length", "item"),
    "too_long": _length("most", "max_length", "item"),
    "list_type": "must be a list",
    "dict_type": "must be an object of names and values",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object, sent as application/json",
    "uuid_parsing": "must be an id such as 3f0c2a34-8a2b-4c0d-9f53-5b1a2c3d4e5f",
    "uuid_type": "must be an id such as 3f0c2a34-8a2b-4c0d-9f53-5b1a2c3d4e5f",
    "json_invalid": "is not JSON",
    "timezone_aware": "must have an offset: end it with Z or +01:00 (%2B01:00 in an address)",
    "value_error": lambda facts: str(facts["error"]),
}
_INSTANT = "must be an instant with its offset, such as 2026-11-25T10:00:00Z"


def reason(error: Mapping[str, Any], allowed: Sequence[str] = ()) -> str:
    """What the field must be, from an error as pydantic gives it; `allowed`: the fields of the body that has
    one too many."""
    kind = str(error["type"])
    if kind == "extra_forbidden":
        return f"is not a field here; these are: {', '.join(allowed)}" if allowed else "is not a field here"
    if kind.startswith(("datetime_", "date_")):
        return _INSTANT
    known = _REASONS.get(kind, f"is not of the right kind; {_DOCS}")
    return known if isinstance(known, str) else known(error.get("ctx", {}))


def place(location: Sequence[int | str]) -> str:
    """Where it is: `limit`, `thresholds_percent.0`; the whole body is `body`."""
    return ".".join(map(str, location[1:])) or str(location[0])
