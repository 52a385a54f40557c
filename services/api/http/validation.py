"""Why a parameter or field is refused, in our words: what it must be, never what was sent. Pure."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_REASONS: Mapping[str, str] = tomllib.loads(Path(__file__).with_name("validation.toml").read_text("utf-8"))
_QUOTED = re.compile(r"'([^']*)'")


def reason(error: Mapping[str, Any], allowed: Sequence[str] = ()) -> str:
    """What the field must be, from an error as pydantic gives it; `allowed`: the fields of the body that has
    one too many."""
    kind, facts = str(error["type"]), error.get("ctx", {})
    if kind.startswith(("datetime_", "date_")):
        kind = "datetime"
    if kind == "extra_forbidden" and allowed:
        return f"is not a field here; these are: {', '.join(allowed)}"
    length = facts.get("min_length", facts.get("max_length"))
    names = ", ".join(_QUOTED.findall(str(facts.get("expected", ""))))
    return _REASONS.get(kind, _REASONS["other"]).format(**facts, names=names, s="" if length == 1 else "s")


def place(location: Sequence[int | str]) -> str:
    """Where it is: `limit`, `thresholds_percent.0`; the whole body is `body`."""
    return ".".join(map(str, location[1:])) or str(location[0])
