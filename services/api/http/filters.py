"""Dimensions to group by and to filter by, as parameters; checked before anything is read. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from spendmeter.contracts.dimensions import trouble_with_name
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.series import DIMENSIONS

FILTER_VALUES_MAX = 100
FILTER = "filter."
FILTER_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": FILTER + dimension,
        "in": "query",
        "required": False,
        "description": f"only this {dimension}; repeated: any of them; empty: events without one",
        "schema": {"type": "array", "items": {"type": "string"}},
        "explode": True,
    }
    for dimension in DIMENSIONS
]
"""As a route's description shows them: FastAPI knows no parameters by pattern. A tenant's own dimensions are
asked for likewise."""


def dimensions_of(group_by: str) -> list[str]:
    """The dimensions of "team,sku", whether there are such or not. Raises HttpRefusal (422)."""
    names = [name.strip() for name in group_by.split(",") if name.strip()]
    if len(set(names)) < len(names):
        raise invalid("group_by", "names a dimension twice")
    return names


def check_dimensions(group_by: Iterable[str], filters: Iterable[str], known: Collection[str]) -> None:
    """Raises HttpRefusal (422), naming the list, for one that is none of `known`; and for an own dimension to
    group by that was called as a figure is before nobody could: a row has one field of a name."""
    asked = [("group_by", name) for name in group_by] + [(FILTER + name, name) for name in filters]
    for field, name in asked:
        if name not in known:
            raise invalid(field[:64], f"{name[:64]!r} is not one of {', '.join(known)}")
        if field == "group_by" and name not in DIMENSIONS and trouble_with_name(name):
            raise invalid(field, f"{name!r} is also what a figure of the answer is called: filter by it")


def filters_of(parameters: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, list[str]]:
    """Dimension to the values of which an event must have one, from `filter.team=a&filter.team=b`, whether
    there is such a dimension or not.

    `known` are the route's other parameters, each at most once: anything else is a mistake, and answering the
    question without it would answer another question. Labels come out in the form that they are booked in,
    however they were typed. Raises HttpRefusal (422).
    """
    filters: defaultdict[str, list[str]] = defaultdict(list)
    met = set()
    for name, value in parameters:
        if "\0" in value:
            raise invalid(name, "holds a NUL character")
        if name.startswith(FILTER):
            dimension = name.removeprefix(FILTER)
            filters[dimension].append(as_booked(dimension, value))
        elif name not in known and name != PRETTY:
            raise invalid(
                name[:64], f"is not a parameter here; these are: {', '.join(known)}, {FILTER}DIMENSION"
            )
        elif name in met:
            raise invalid(name, "is given twice")
        met.add(name)
    if any(len(values) > FILTER_VALUES_MAX for values in filters.values()):
        raise invalid("filter", f"at most {FILTER_VALUES_MAX} values a dimension")
    return dict(filters)
