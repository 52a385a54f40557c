"""Which values of a tenant's own dimensions amends may bring in: each is a further series.

What some series of the tenant says already costs nothing. Of what is new a UTC day has room for as many
values as at the door (`VALUES_PER_DAY_MAX`, first seen that day); a further one is refused, and not folded:
who amends is there to hear it. Decided by what the book has when the amend is applied, and kept in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.corrector.in_force import SQL
from spendmeter.contracts.dimensions import VALUES_PER_DAY_MAX
from spendmeter.contracts.events import UsageEvent

OwnValue = tuple[str, str, str]
"""(tenant, dimension, value)."""


@dataclass(kw_only=True)
class OwnValues:
    """Of some values those that the book has; and those of their dimensions that came first today."""

    known: set[OwnValue] = field(default_factory=set)
    of_today: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def no_room_for(self, event: UsageEvent) -> str:
        """The dimension of which the day has no room for the event's value; '' = it has for all, and they are
        counted from now on."""
        stated = own_values(event)
        for tenant, name, value in stated:
            of_today = self.of_today[tenant, name]
            is_new = (tenant, name, value) not in self.known and value not in of_today
            if is_new and len(of_today) >= VALUES_PER_DAY_MAX:
                return name
        for tenant, name, value in stated:
            if (tenant, name, value) not in self.known:
                self.of_today[tenant, name].add(value)
        return ""


def own_values(event: UsageEvent) -> list[OwnValue]:
    """What the event's series says of its tenant's own dimensions: what is folded says nothing."""
    labels = event.data.labels
    own: Mapping[str, str] = labels.own
    return [(event.tenant, name, value) for name, value in own.items() if name not in labels.folded]


async def read_own_values(connection: Any, events: Iterable[UsageEvent]) -> OwnValues:
    """What the book says of these events' values."""
    asked: Collection[OwnValue] = {value for event in events for value in own_values(event)}
    found = OwnValues()
    if not asked:
        return found
    for row in await connection.fetch(SQL["own_values"], *map(list, zip(*asked, strict=True))):
        value: OwnValue = (row["tenant"], row["dimension"], row["value"])
        found.known.add(value)
        if row["is_of_today"]:
            found.of_today[value[:2]].add(value[2])
    return found
