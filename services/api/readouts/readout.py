"""What a portal made for OpenMeter calls a meter: a sum of the rollups by name. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal, get_args

from services.api.http.problems import invalid
from services.api.spend.closed import GroupSum
from spendmeter.contracts.events import EVENT_TYPE
from spendmeter.contracts.money import total
from spendmeter.contracts.units import UNITS

Aggregation = Literal["SUM", "COUNT", "UNIQUE_COUNT", "AVG", "MIN", "MAX", "LATEST"]
AGGREGATIONS: Sequence[str] = get_args(Aggregation)

COST = "$.cost"
TOKENS = "$.usage.*_tokens"
CURRENCY = "currency"
"""By which a readout of cost can be grouped and filtered beside dimensions: those of two are never added."""
SUBJECT = "subject"
"""OpenMeter's name for whom an event is of: a group like any other, told apart in its answers."""

_USAGE = "$.usage."
_DIMENSION = re.compile(r"\$\.(?:labels\.)?([a-z0-9_]+)")
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_EXACT = {
    "UNIQUE_COUNT": "counts different values, of which sums keep nothing",
    "AVG": "is a sum by a count: ask for both, and divide",
    "MIN": "needs each event by itself, of which sums keep nothing",
    "MAX": "needs each event by itself, of which sums keep nothing",
    "LATEST": "needs each event by itself, of which sums keep nothing",
}
"""Why rollups cannot answer it to the last digit."""


@dataclass(frozen=True, kw_only=True)
class Readout:
    """A sum by name. `value_property` says of what (None = of events); `group_by`: dimension by the name that
    a question has for it. One that is `built_in` can be grouped by every dimension there is."""

    id: str
    slug: str
    name: str
    description: str
    aggregation: Aggregation
    value_property: str | None
    group_by: Mapping[str, str]
    at: datetime = _ALWAYS
    changed_at: datetime = _ALWAYS
    built_in: bool = False

    @property
    def is_cost(self) -> bool:
        """Whether it sums amounts, which have a currency."""
        return self.value_property == COST

    def value(self, of: GroupSum) -> Decimal | None:
        """What it says of a group; None = nothing was spent, none stated the unit, or nothing has a price: no
        row, for it is not 0."""
        if self.is_cost:
            priced = of.sums["events"] != of.sums["unpriced_events"]
            return of.sums["effective"] if priced or of.sums["effective"] else None
        if self.value_property is None:
            return Decimal(of.sums["events"]) if of.sums["events"] else None
        stated = [quantity for unit, quantity in of.usage.items() if self._sums(unit)]
        return total(stated) if stated else None

    def _sums(self, unit: str) -> bool:
        if self.value_property == TOKENS:
            return unit.endswith("_tokens")
        return self.value_property == _USAGE + unit


def built_in(dimensions: Iterable[str]) -> dict[str, Readout]:
    """By slug: the cost, the count of events, all tokens, and the quantity of each unit of the registry;
    grouped by these dimensions."""
    group_by = {name: name for name in dimensions}

    def readout(slug: str, said: str, of: str | None, groups: Mapping[str, str] = group_by) -> Readout:
        return Readout(
            id=slug,
            slug=slug,
            name=slug.replace("_", " "),
            description=said,
            aggregation="COUNT" if of is None else "SUM",
            value_property=of,
            group_by=groups,
            built_in=True,
        )

    readouts = [
        readout("cost", "what it cost, in the currency of the book", COST, group_by | {CURRENCY: CURRENCY}),
        readout("events", "usage events that are booked", None),
        readout("tokens", "tokens of every kind, each counted once", TOKENS),
        *(readout(name, unit.about, _USAGE + name) for name, unit in UNITS.items()),
    ]
    return {each.slug: each for each in readouts}


def checked_value(aggregation: Aggregation, event_type: str, value_property: str | None) -> str | None:
    """What a readout that somebody defines sums; None = it counts events. Raises HttpRefusal (422), saying
    why, for what rollups do not answer to the last digit."""
    if aggregation in _NOT_EXACT:
        raise invalid("aggregation", f"{aggregation} {_NOT_EXACT[aggregation]}; SUM and COUNT are answered")
    if event_type != EVENT_TYPE:
        raise invalid(
            "eventType",
            f"sums are of all usage, whatever type it came by: {EVENT_TYPE}; what events of another type "
            "mean is set by PUT /v1/meters, and what they meant can be grouped by",
        )
    if aggregation == "COUNT":
        return None
    known = {COST, TOKENS, *(_USAGE + unit for unit in UNITS)}
    if value_property not in known:
        raise invalid("valueProperty", f"is {COST}, {TOKENS}, or {_USAGE} and a unit of GET /api/v1/meters")
    return value_property


def checked_groups(group_by: Mapping[str, str], known: Sequence[str], *, is_cost: bool) -> dict[str, str]:
    """Dimension by name, from the paths that OpenMeter has there. Raises HttpRefusal (422)."""
    found, dimensions = {}, [name for name in known if not (is_cost and name == CURRENCY)]
    for name, path in group_by.items():
        dimension = _DIMENSION.fullmatch(path)
        if name == CURRENCY:
            if is_cost and path == f"$.{CURRENCY}":
                continue  # it can be grouped by in any case
            raise invalid("groupBy", f"{CURRENCY} is the currency of amounts: call the dimension otherwise")
        if dimension is None or dimension[1] not in dimensions:
            raise invalid("groupBy", f"{name[:64]}: is $. and one of {', '.join(dimensions)}")
        found[name] = dimension[1]
    return found | ({CURRENCY: CURRENCY} if is_cost else {})
