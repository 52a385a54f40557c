"""What a tenant sets as a whole, act by act: the last act is in force, under its number."""

from collections.abc import Mapping
from typing import Any

from services.api.http.problems import HttpRefusal


def act_in_force(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """By whom, when and why what is in force was set, and its revision; None = nothing ever was."""
    if row is None:
        return {"revision": 0, "reason": "", "by": "", "at": None}
    return {"revision": row["number"], **{name: row[name] for name in ("reason", "by", "at")}}


def refuse_if_changed(asked: int | None, in_force: int) -> None:
    """Raises HttpRefusal (409) for who read another revision than is in force, and would set over it."""
    if asked not in (None, in_force):
        raise HttpRefusal(409, "Changed meanwhile", f"in force is revision {in_force}: read it first")
