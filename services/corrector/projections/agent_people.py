"""The projection `agent_people`: who used which coding agent in a month of UTC, by team. Pure.

It is there to be counted: a split by team is shown where enough people stand behind it, and no series knows
who they are. A person is the pseudonym of the month, as in `user_months`; it has no amount. What serves
customers (any agent that is none of CODING_AGENTS) is not here.
"""

from collections.abc import Iterable
from datetime import UTC

from msgspec import Struct

from spendmeter.book.entry import BookEntry
from spendmeter.contracts.coding_agents import CODING_AGENTS
from spendmeter.contracts.series import FOLDED


class AgentPerson(Struct, gc=False):
    """A row of the table `agent_people`, or what is to be added to it."""

    tenant: str
    month: str
    """Its first day."""
    agent: str
    team: str
    user: str
    events: int = 0


class AgentPeopleFold:
    """`add` entries, in any order; `rows` are what they add to `agent_people`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str, str, str], AgentPerson] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            labels = entry.stated.labels
            if labels.agent not in CODING_AGENTS or not labels.user or labels.user == FOLDED:
                continue
            at = entry.occurred_at
            if at.tzinfo is not UTC:
                at = at.astimezone(UTC)
            key = (entry.tenant, at.year, at.month, labels.agent, labels.team, labels.user)
            row = self._found.get(key)
            if row is None:
                month = f"{at.year}-{at.month:02}-01"
                row = AgentPerson(entry.tenant, month, labels.agent, labels.team, labels.user)
                self._found[key] = row
            row.events += entry.sign

    def rows(self) -> list[AgentPerson]:
        """A row a person, tool, team and month."""
        return list(self._found.values())

    def __len__(self) -> int:
        return len(self._found)
