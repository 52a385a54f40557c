"""What teams came to with their tools, and which of them stand apart. Pure.

Five people at least stand behind a row that names a team: it says how much a team merges, which of one or
two is a person's record. The others of a tool are one row, to which the smallest named team is added where
too few would stand behind it: otherwise the tool's total less all that is named would be theirs.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from spendmeter.contracts.money import EXACT, ZERO, total

PEOPLE_MIN = 5
PARTS = ("model", "seats", "labour", "other")
"""Of cost: calls to models; licences; people's time, where it has a price; all else that names the tool."""


@dataclass(kw_only=True)
class CodingCost:
    """In one currency."""

    events: int = 0
    unpriced_events: int = 0
    of_which_provisional: Decimal = ZERO
    parts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(PARTS, ZERO))

    @property
    def total(self) -> Decimal:
        return total(self.parts.values())

    def add(self, other: "CodingCost") -> None:
        """Count this too."""
        self.events += other.events
        self.unpriced_events += other.unpriced_events
        self.of_which_provisional = EXACT.add(self.of_which_provisional, other.of_which_provisional)
        for part, amount in other.parts.items():
            self.parts[part] = EXACT.add(self.parts[part], amount)


@dataclass(kw_only=True)
class AgentSums:
    """Of one tool and team, or of several."""

    costs: defaultdict[str, CodingCost] = field(default_factory=lambda: defaultdict(CodingCost))
    """By currency."""
    sessions: int = 0
    merged: Decimal = ZERO
    taken_back: Decimal = ZERO
    merged_days: set[date] = field(default_factory=set)
    people: defaultdict[date, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Pseudonyms by month: whoever works in two months has two."""
    seated: Counter[str] = field(default_factory=Counter)
    """Seats that were given to them, by licence: who has one of each of two is one person."""

    @property
    def known_people(self) -> int:
        """At least so many."""
        return max((*self.seated.values(), *map(len, self.people.values())), default=0)

    def add(self, other: "AgentSums") -> None:
        """Count this too."""
        for currency, cost in other.costs.items():
            self.costs[currency].add(cost)
        self.sessions += other.sessions
        self.merged += other.merged
        self.taken_back += other.taken_back
        self.merged_days |= other.merged_days
        for month, users in other.people.items():
            self.people[month] |= users
        self.seated.update(other.seated)


@dataclass(frozen=True, kw_only=True)
class TeamShown:
    """A row. `team` None = of the small ones that `teams` are; without any, of all. `partly`: what the team
    did with another tool stands among small ones."""

    tool: str | None
    team: str | None
    teams: frozenset[str]
    sums: AgentSums
    partly: bool = False


def added(sums: Iterable[AgentSums]) -> AgentSums:
    """All of them together."""
    found = AgentSums()
    for each in sums:
        found.add(each)
    return found


def by_tool(sums: Mapping[tuple[str, str], AgentSums]) -> list[TeamShown]:
    """What each tool came to; `sums` by (tool, team)."""
    return [
        TeamShown(tool=tool, team=None, teams=frozenset(), sums=added(_teams(sums, tool).values()))
        for tool in _tools(sums)
    ]


def by_tool_and_team(sums: Mapping[tuple[str, str], AgentSums], *, all_teams: bool) -> list[TeamShown]:
    """A row a tool and team, those that stand apart by name; `all_teams`: for who may see persons."""
    found = list[TeamShown]()
    for tool in _tools(sums):
        teams = _teams(sums, tool)
        small = frozenset[str]() if all_teams else _small(teams)
        found += [
            TeamShown(tool=tool, team=team, teams=frozenset({team}), sums=teams[team])
            for team in sorted(teams.keys() - small)
        ]
        if small:
            pool = added(teams[team] for team in small)
            found.append(TeamShown(tool=tool, team=None, teams=small, sums=pool))
    return found


def by_team(rows: Iterable[TeamShown]) -> list[TeamShown]:
    """The same over all tools: sums of what is shown, so that no difference says more than the rows do."""
    met, small = defaultdict[str | None, list[TeamShown]](list), set[str]()
    for row in rows:
        met[row.team].append(row)
        small |= row.teams if row.team is None else frozenset()
    return [
        TeamShown(
            tool=None,
            team=team,
            teams=frozenset[str]().union(*(row.teams for row in of)),
            sums=added(row.sums for row in of),
            partly=team in small,
        )
        for team, of in sorted(met.items(), key=lambda item: (item[0] is None, item[0] or ""))
    ]


def _tools(sums: Mapping[tuple[str, str], AgentSums]) -> list[str]:
    return sorted({tool for tool, _ in sums})


def _teams(sums: Mapping[tuple[str, str], AgentSums], tool: str) -> dict[str, AgentSums]:
    return {team: each for (of, team), each in sums.items() if of == tool}


def _small(teams: Mapping[str, AgentSums]) -> frozenset[str]:
    """The teams of a tool that have no row of their own."""
    small = {team for team, sums in teams.items() if sums.known_people < PEOPLE_MIN}
    named = sorted(teams.keys() - small, key=lambda team: (teams[team].known_people, team), reverse=True)
    while small and named and added(teams[team] for team in small).known_people < PEOPLE_MIN:
        small.add(named.pop())
    return frozenset(small)
