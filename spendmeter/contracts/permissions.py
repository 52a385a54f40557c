"""Scopes and roles, as permissions.toml states them: what keys and people may do. Pure."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_STATED = tomllib.loads(Path(__file__).with_name("permissions.toml").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True)
class PersonRole:
    """What a person may do, by name."""

    means: str
    scopes: tuple[str, ...]


SCOPES: dict[str, str] = {scope: stated["means"] for scope, stated in _STATED["scopes"].items()}
"""What each scope lets do."""
ROLES: dict[str, PersonRole] = {
    role: PersonRole(means=stated["means"], scopes=tuple(stated["scopes"]))
    for role, stated in _STATED["roles"].items()
}
TEAM_ROLE = "viewer"
"""The one role that may be of one team alone."""


def contained(scopes: Iterable[str]) -> frozenset[str]:
    """These scopes and what is in them. One that nobody knows contains itself: an older process meets it."""
    given = frozenset(scopes)
    return given.union(*(_STATED["scopes"].get(scope, {}).get("contains", ()) for scope in given))
