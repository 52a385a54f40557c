"""Fields that the contract does not have: they are not stored, and not passed over in silence either.

`decode_known_event` and `decode_known_batch` read what `event_reading` reads, as fast, and fail where a field
is unknown. Only then is it worth finding out which: `unknown_fields`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Raw, Struct

from spendmeter.contracts.events import UsageData, UsageEvent
from spendmeter.contracts.outcomes import OutcomeData, OutcomeEvent

CLOUDEVENTS_FIELDS = frozenset(
    {"datacontenttype", "dataschema", "traceparent", "tracestate", "partitionkey", "sequence"}
)
"""CloudEvents' own attributes: libraries add them, and nothing is lost with them."""
NAME_CHARACTERS_MAX = 64
NAMES_MAX = 20
"""Names that are listed for one request."""
LOOKED_AT = 50
"""Events of a request that are looked at first: a look costs twice what decoding does."""
PATH_CHARACTERS_MAX = 96
_STRANGE = re.compile(r"[^A-Za-z0-9_\-]")
_STRANGE_IN_PATH = re.compile(r"[^A-Za-z0-9_\-.]")


def _inner_structs(kind: type[Struct]) -> Iterator[tuple[msgspec.structs.FieldInfo, type[Struct]]]:
    """The fields that hold a struct, or None, and the struct."""
    for field in msgspec.structs.fields(kind):
        for held in get_args(field.type) or (field.type,):
            if isinstance(held, type) and issubclass(held, Struct):
                yield field, held


def _strict(kind: type[Struct]) -> type[Any]:
    """`kind`, but neither it nor a struct inside it takes an unknown field."""
    fields: list[Any] = []
    for field, held in _inner_structs(kind):
        strict: Any = _strict(held)
        fields.append((field.name, strict | None if field.default is None else strict, field.default))
    return msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )


def _fields_by_path(kind: type[Struct], path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    yield path, frozenset(kind.__struct_fields__)
    for field, held in _inner_structs(kind):
        yield from _fields_by_path(held, f"{path}{field.name}.")


def _open(event: type[Any], data: type[Any], *, strict: bool) -> type[Any]:
    """The same, with labels as they come: of which names a tenant has declared, nobody knows yet."""
    how: Any = {"frozen": True, "kw_only": True, "forbid_unknown_fields": strict}
    labels: Any = ("labels", dict[str, Any], msgspec.field(default_factory=dict))
    opened: Any = msgspec.defstruct(data.__name__, [labels], bases=(data,), **how)
    return msgspec.defstruct(event.__name__, [("data", opened)], bases=(event,), **how)


_StrictEvent = _strict(UsageEvent)
decode_known_event: Callable[[bytes], UsageEvent] = msgspec.json.Decoder(
    _StrictEvent, float_hook=Decimal
).decode
decode_known_batch: Callable[[bytes], list[UsageEvent]] = msgspec.json.Decoder(
    list[_StrictEvent],  # type: ignore[valid-type]  # made above
    float_hook=Decimal,
).decode

_decode_parts = msgspec.json.Decoder(list[Raw]).decode
_decode_table = msgspec.json.Decoder(dict[str, Raw] | None).decode  # raw: values are never looked at
_KNOWN = dict(_fields_by_path(UsageEvent))
"""By the path of an object ("data.labels."): the fields that it may have."""
_KNOWN[""] |= CLOUDEVENTS_FIELDS
_LABELS = "data.labels."


class Readings(NamedTuple):
    """How one event, and how an array of them, are read where every field is known, and where some are not;
    and what these are called."""

    known_event: Callable[[bytes], UsageEvent]
    known_batch: Callable[[bytes], list[UsageEvent]]
    event: Callable[[bytes], UsageEvent]
    batch: Callable[[bytes], list[UsageEvent]]
    unknown: Callable[[bytes], list[str]]


def _readings(known: Any, event: Any, unknown: Callable[[bytes], list[str]]) -> Readings:
    one, many, any_one, any_many = (
        msgspec.json.Decoder(kind, float_hook=Decimal).decode
        for kind in (known, list[known], event, list[event])
    )
    return Readings(one, many, any_one, any_many, unknown)


def unknown_fields(
    events: bytes, but: str | None = None, known: Mapping[str, Collection[str]] = _KNOWN
) -> list[str]:
    """Paths of the fields that events of a JSON array have and the contract has not ("data.cost"): names
    alone, sorted, at most NAMES_MAX. The array was decoded as events before, so their shape is right. Fields
    of the object at the path `but` are left out. `known`: of each path of the contract its fields.

    Of many events LOOKED_AT are looked at, evenly spread, and all of them only where those know nothing: some
    name is always listed, and of a sender whose events are alike, as they are, every one."""
    try:
        events.decode()
    except UnicodeDecodeError:  # somewhere in what is not kept; such a name is listed all the same
        events = events.decode(errors="replace").encode()
    parts = _decode_parts(events)
    return _names(parts[:: -(-len(parts) // LOOKED_AT) or 1], but, known) or _names(parts, but, known)


def join_names(names: Collection[str]) -> str:
    """The names in one line."""
    return ", ".join(names) + (", ..." if len(names) >= NAMES_MAX else "")


def _names(events: Sequence[Raw], but: str | None, known: Mapping[str, Collection[str]]) -> list[str]:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        _collect(event, "", seen, known)
    if but is not None:
        seen.pop(but, None)
    names = sorted(
        path + _printable(name) for path, found in seen.items() for name in found.difference(known[path])
    )
    return names[:NAMES_MAX]


def _collect(
    raw: Raw, path: str, seen: defaultdict[str, set[str]], known: Mapping[str, Collection[str]]
) -> None:
    """Add the fields of the object at `path`, and those of the objects of the contract inside it."""
    table = _decode_table(raw) or {}
    seen[path].update(table)
    for name in table:
        if (inner := f"{path}{name}.") in known:
            _collect(table[name], inner, seen, known)


def _printable(name: str) -> str:
    """A name chosen by a sender, as a header, a log and a table can hold it."""
    return _STRANGE.sub("?", name[:NAME_CHARACTERS_MAX]) or "?"


def printable_path(path: str) -> str:
    """A path of which a sender chose a part, likewise. A name may hold points: no part is passed over."""
    return _STRANGE_IN_PATH.sub("?", path[:PATH_CHARACTERS_MAX]) or "?"


READINGS = _readings(_StrictEvent, UsageEvent, unknown_fields)
_data = {field.name: field.type for field in msgspec.structs.fields(_StrictEvent)}["data"]
OPEN_READINGS = _readings(
    _open(_StrictEvent, _data, strict=True),
    _open(UsageEvent, UsageData, strict=False),
    partial(unknown_fields, but=_LABELS),
)
"""Of events whose tenants may have declared labels of their own."""

_StrictOutcome = _strict(OutcomeEvent)
_outcome_data = {field.name: field.type for field in msgspec.structs.fields(_StrictOutcome)}["data"]
_KNOWN_OUTCOME = dict(_fields_by_path(OutcomeEvent))
_KNOWN_OUTCOME[""] |= CLOUDEVENTS_FIELDS
decode_known_outcome: Callable[[bytes], OutcomeEvent] = msgspec.json.Decoder(
    _open(_StrictOutcome, _outcome_data, strict=True), float_hook=Decimal
).decode
decode_any_outcome: Callable[[bytes], OutcomeEvent] = msgspec.json.Decoder(
    _open(OutcomeEvent, OutcomeData, strict=False), float_hook=Decimal
).decode
"""Outcomes with labels as they come, where every field but of these is known, and where some are not."""


def unknown_outcome_fields(event: bytes) -> list[str]:
    """Paths of the fields that an outcome has and its contract has not, but for labels."""
    return unknown_fields(b"[" + event + b"]", _LABELS, _KNOWN_OUTCOME)
