"""Routes that tell of the book as it is alone, asked for `as_of`: why not, and which to ask."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

AS_IT_IS: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("as_it_is.toml").read_text("utf-8")
)
"""By how the path of a route begins: `why`, and what to `ask` instead."""
_OTHERS = "is for what was spent (/v1/spend, and the routes whose description names it): this is as it is now"


def named(path: str) -> Mapping[str, str] | None:
    """What is said of a route of this path; None = nothing."""
    begins = [each for each in AS_IT_IS if path == each or path.startswith(f"{each}/")]
    return AS_IT_IS[max(begins, key=len)] if begins else None


def why_not(path: str) -> str:
    """The rule that `as_of` breaks there."""
    said = named(path)
    return f"cannot be told here, for {said['why']}: ask {said['ask']}" if said else _OTHERS
