"""What a version of a workflow came to, by day and by team: the sums that figures are ratios of. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from spendmeter.contracts.money import EXACT, ZERO, divided, total

COSTS = ("ai", "human", "adjacent")
_COUNTED = (
    "runs events unpriced_events calls failed_calls without_run of_which_provisional human_minutes "
    "cycle_runs cycle_s"
).split()
_ACHIEVED = "outcomes accepted refused reversed reversed_later accepted_later successes".split()
_add = EXACT.add
_HOUR_S = Decimal(3600)


class NamedSums(defaultdict[str, Decimal]):
    """NamedSums by name; what nothing was added to is 0."""

    def __init__(self) -> None:
        super().__init__(lambda: ZERO)

    def add(self, name: str, amount: Decimal | int) -> None:
        """Exactly."""
        if amount:
            self[name] = _add(self[name], amount)


@dataclass
class VersionSums:
    """One version's, in the days of a question."""

    days: defaultdict[date, NamedSums] = field(default_factory=lambda: defaultdict(NamedSums))
    teams: defaultdict[str | None, defaultdict[date, NamedSums]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(NamedSums))
    )
    """By team `cost` and `accepted`; None = those beyond the largest, added up."""
    costs: defaultdict[str, NamedSums] = field(default_factory=lambda: defaultdict(NamedSums))
    """By currency."""
    values: defaultdict[str, NamedSums] = field(default_factory=lambda: defaultdict(NamedSums))
    """By currency what accepted outcomes are worth (`value`), and how many state it (`valued`)."""

    @property
    def currency(self) -> str | None:
        """That of all its cost; '' = it cost nothing; None = there are several."""
        spent = [one for one, sums in self.costs.items() if any(sums[name] for name in COSTS)]
        return (spent or [""])[0] if len(spent) < 2 else None

    def all(self) -> NamedSums:
        """Of all its days."""
        found = NamedSums()
        for sums in self.days.values():
            for name, amount in sums.items():
                found.add(name, amount)
        return found

    def parts(self, names: Iterable[str], team: Any = ...) -> dict[str, tuple[float, ...]]:
        """By name a float a day, in order, for draws; of one team, if one is named."""
        those = self.days if team is ... else self.teams[team]
        return {name: tuple(float(those[day][name]) for day in sorted(self.days)) for name in names}


def sums_of(
    costs: Iterable[Mapping[str, Any]],
    outcomes: Iterable[Mapping[str, Any]],
    by_team: Iterable[Mapping[str, Any]] = (),
) -> dict[str, VersionSums]:
    """By version, from the rows of the statements of these names."""
    found: defaultdict[str, VersionSums] = defaultdict(VersionSums)
    for row in costs:
        version = found[row["version"]]
        cost = total(row[name] for name in COSTS)
        for name in (*COSTS, "without_run", "of_which_provisional", "unpriced_events"):
            version.costs[row["currency"]].add(name, row[name])
        sums = version.days[row["day"]]
        for name in (*COSTS, *_COUNTED):
            sums.add(name, row[name])
        sums.add("cost", cost)
        sums.add("cycle_hours", divided(row["cycle_s"], _HOUR_S))
    for row in outcomes:
        version = found[row["version"]]
        sums = version.days[row["day"]]
        for name in _ACHIEVED:
            sums.add(name, row[name])
        sums.add("kept", row["outcomes"] - row["reversed"])
        if row["currency"]:
            for name, amount in (("value", row["value"]), ("valued", row["accepted"])):
                version.values[row["currency"]].add(name, amount)
                version.days[row["day"]].add(name, amount)
    for row in by_team:
        team = found[row["version"]].teams[row["team"]][row["day"]]
        team.add("cost", row["cost"])
        team.add("accepted", row["accepted"])
    return dict(found)


def top_sums(row: Mapping[str, Any]) -> NamedSums:
    """What the dearest runs came to together: the row of the statement `dearest`."""
    found = NamedSums()
    for name, amount in row.items():
        found.add(name, amount)
    return found
