"""Which agents are tools of developers, and whose seats a licence is: coding_agents.toml. Pure."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class CodingAgent:
    """A tool. `seats`: provider/sku of its licences, * = anything."""

    title: str
    seats: tuple[str, ...] = ()


_STATED = tomllib.loads(Path(__file__).with_name("coding_agents.toml").read_text("utf-8"))
CODING_AGENTS: Mapping[str, CodingAgent] = {
    name: CodingAgent(title=stated["title"], seats=tuple(stated["seats"])) for name, stated in _STATED.items()
}
"""By the label `agent`."""
SEATS = tuple((pattern, name) for name, tool in CODING_AGENTS.items() for pattern in tool.seats)
"""Whose seats a licence is, by (pattern, tool)."""
IDLE_ENDING = ":idle"
"""Of the sku of seats that nobody has."""


def tool_of_seat(provider: str, sku: str, seats: Iterable[tuple[str, str]]) -> str:
    """Whose seats a licence is, by (pattern, tool), of which the first that fits counts; '' = no tool's."""
    named = f"{provider}/{sku.removesuffix(IDLE_ENDING)}".lower()
    return next((tool for pattern, tool in seats if fnmatchcase(named, pattern.lower())), "")
