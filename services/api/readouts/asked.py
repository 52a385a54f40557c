"""What a portal asks of a readout, as OpenMeter's clients write it. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec

from services.api.http.filters import FILTER_VALUES_MAX
from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from services.api.readouts.readout import CURRENCY, SUBJECT, Readout
from services.api.spend.buckets import Bucket
from services.api.spend.question import Filters
from spendmeter.contracts.gate import as_booked

WINDOWS: Mapping[str, Bucket] = {"MINUTE": "minute", "HOUR": "hour", "DAY": "day", "MONTH": "month"}
ONCE = ("from", "to", "windowSize", "windowTimeZone", "clientId", "advancedMeterGroupByFilters")
MANY = ("subject", "groupBy")
_FILTER = re.compile(r"filterGroupBy\[([A-Za-z0-9_]{1,64})\]")
_Values = Annotated[list[str], msgspec.Meta(max_length=FILTER_VALUES_MAX)]


class _Condition(msgspec.Struct, forbid_unknown_fields=True):
    """Of OpenMeter's conditions those that a set of values can say."""

    equals: str | None = msgspec.field(name="$eq", default=None)
    is_in: _Values | None = msgspec.field(name="$in", default=None)


class AskedGroups(NamedTuple):
    """By which names to group, and which values each of others may have."""

    group_by: Sequence[str]
    filters: Mapping[str, Sequence[str]]


class Sliced(NamedTuple):
    """The same in dimensions; `currencies`: of amounts in these alone, None = in all."""

    dimensions: Sequence[str]
    filters: Filters
    currencies: Sequence[str] | None


def asked_groups(parameters: Iterable[tuple[str, str]]) -> AskedGroups:
    """From all parameters of a question. Raises HttpRefusal (422) for one that nobody knows."""
    group_by: list[str] = []
    filters: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    met = set()
    for name, value in parameters:
        if "\0" in value:
            raise invalid(name[:64], "holds a NUL character")
        if name == "groupBy":
            group_by += [each.strip() for each in value.split(",") if each.strip()]
        elif name == "subject":
            filters[name, SUBJECT].append(value)
        elif filtered := _FILTER.fullmatch(name):
            filters["filterGroupBy", filtered[1]].append(value)
        elif name not in ONCE and name != PRETTY:
            known = ", ".join((*ONCE, *MANY, "filterGroupBy[NAME]"))
            raise invalid(name[:64], f"is not a parameter here; these are: {known}")
        elif name in met:
            raise invalid(name, "is given twice")
        elif name == "advancedMeterGroupByFilters":
            for of, values in _conditions(value).items():
                filters[name, of] += values
        met.add(name)
    if "subject" in met and SUBJECT not in group_by:
        group_by.append(SUBJECT)  # OpenMeter filters and groups by it
    if any(len(values) > FILTER_VALUES_MAX for values in filters.values()):
        raise invalid("filterGroupBy", f"at most {FILTER_VALUES_MAX} values of a name")
    if len(set(group_by)) < len(group_by):
        raise invalid("groupBy", "names a group twice")
    return AskedGroups(group_by, _all_hold(filters))


def _all_hold(filters: Mapping[tuple[str, str], Sequence[str]]) -> dict[str, Sequence[str]]:
    """Of a name any of the values that it is given in one way; where it is given in two, both must hold."""
    held: dict[str, Sequence[str]] = {}
    for (_, name), values in filters.items():
        held[name] = [each for each in values if each in held[name]] if name in held else values
    return held


def _conditions(text: str) -> dict[str, list[str]]:
    try:
        conditions = msgspec.json.decode(text, type=dict[str, _Condition])
    except msgspec.MsgspecError:
        rule = 'is JSON such as {"team": {"$in": ["search"]}}, with $eq and $in alone'
        raise invalid("advancedMeterGroupByFilters", rule) from None
    found = {}
    for name, condition in conditions.items():
        if (condition.equals is None) == (condition.is_in is None):
            raise invalid("advancedMeterGroupByFilters", f"{name[:64]}: has $eq or $in")
        found[name] = condition.is_in if condition.equals is None else [condition.equals]
    return {name: values or [] for name, values in found.items()}


def sliced(asked: AskedGroups, readout: Readout) -> Sliced:
    """What is asked, in dimensions. Raises HttpRefusal (422) for a name that the readout does not have."""
    dimensions = [_dimension(readout, "groupBy", name) for name in asked.group_by]
    filters: dict[str, list[str]] = {}
    for name, values in asked.filters.items():
        field = "subject" if name == SUBJECT else "filterGroupBy"
        dimension = _dimension(readout, field, name)
        booked = [as_booked(dimension, value) for value in values]
        held = filters.get(dimension)  # two names of one dimension: both must hold
        filters[dimension] = booked if held is None else [each for each in booked if each in held]
    currencies = filters.pop(CURRENCY, None) if readout.is_cost else None
    if readout.is_cost:
        dimensions = [each for each in dimensions if each != CURRENCY]
    return Sliced(list(dict.fromkeys(dimensions)), filters, currencies)


def _dimension(readout: Readout, field: str, name: str) -> str:
    found = readout.group_by.get(name)
    if found is not None:
        return found
    if name == SUBJECT:
        raise invalid(
            field,
            "nobody has said which label is the subject: declare a dimension of that name and let a meter "
            'fill it ("subject": "@subject"), or define a meter with groupBy {"subject": "$.team"}',
        )
    raise invalid(field, f"{name[:64]!r} is not one of {', '.join(readout.group_by)}")
