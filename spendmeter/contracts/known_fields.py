"""Fields that the contract does not have: they are not stored, and not passed over in silence either.

`decode_known_event` and `decode_known_batch` read what `events` reads, as fast, and fail where a field is
unknown. Only then is it worth finding out which: `unknown_fields`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal

import msgspec
from msgspec import Raw

from spendmeter.contracts.events import (
    Amount,
    Context,
    Labels,
    Outcome,
    Performance,
    UsageData,
    UsageEvent,
)

CLOUDEVENTS_FIELDS = frozenset(
    {"datacontenttype", "dataschema", "traceparent", "tracestate", "partitionkey", "sequence"}
)
"""CloudEvents' own attributes: libraries add them, and nothing is lost with them."""
NAME_CHARACTERS_MAX = 64
NAMES_MAX = 20
"""Names told of one request."""
LOOKED_AT = 50
"""Events of a request that are looked at first: a look costs twice what decoding does."""
_STRANGE = re.compile(r"[^A-Za-z0-9_\-]")


class _Amount(Amount, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Context(Context, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Labels(Labels, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Performance(Performance, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Outcome(Outcome, frozen=True, kw_only=True, forbid_unknown_fields=True):
    value: _Amount | None = None


class _UsageData(UsageData, frozen=True, kw_only=True, forbid_unknown_fields=True):
    context: _Context = _Context()
    labels: _Labels = _Labels()
    performance: _Performance = _Performance()
    outcome: _Outcome | None = None
    reported_cost: _Amount | None = None


class _UsageEvent(UsageEvent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data: _UsageData


decode_known_event = msgspec.json.Decoder(_UsageEvent, float_hook=Decimal).decode
decode_known_batch = msgspec.json.Decoder(list[_UsageEvent], float_hook=Decimal).decode

_decode_parts = msgspec.json.Decoder(list[Raw]).decode
_decode_table = msgspec.json.Decoder(dict[str, Raw] | None).decode  # raw: values are never looked at
_KNOWN = {
    "": frozenset(UsageEvent.__struct_fields__) | CLOUDEVENTS_FIELDS,
    "data.": frozenset(UsageData.__struct_fields__),
    "data.labels.": frozenset(Labels.__struct_fields__),
    "data.context.": frozenset(Context.__struct_fields__),
    "data.performance.": frozenset(Performance.__struct_fields__),
    "data.outcome.": frozenset(Outcome.__struct_fields__),
    "data.outcome.value.": frozenset(Amount.__struct_fields__),
    "data.reported_cost.": frozenset(Amount.__struct_fields__),
}
"""By the path of an object: the fields that it may have."""
_TABLES_OF_DATA = ("labels", "context", "performance", "outcome", "reported_cost")


def unknown_fields(events: bytes) -> list[str]:
    """Paths of the fields that events of a JSON array have and the contract has not ("data.cost"): names
    alone, sorted, at most NAMES_MAX. The array was decoded as events before, so their shape is right.

    Of many events LOOKED_AT are looked at, evenly spread, and all of them only where those know nothing: some
    name is always told, and a sender whose events are alike, as they are, is told every one."""
    try:
        events.decode()
    except UnicodeDecodeError:  # somewhere in what is not kept; such a name is told all the same
        events = events.decode(errors="replace").encode()
    parts = _decode_parts(events)
    return _names(parts[:: -(-len(parts) // LOOKED_AT) or 1]) or _names(parts)


def _names(events: Sequence[Raw]) -> list[str]:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        table = _decode_table(event) or {}
        seen[""].update(table)
        data = _decode_table(table["data"]) or {}
        seen["data."].update(data)
        for name in _TABLES_OF_DATA:
            if name in data:
                _see(data[name], f"data.{name}.", seen)
    names = sorted(path + _printable(name) for path, found in seen.items() for name in found - _KNOWN[path])
    return names[:NAMES_MAX]


def _see(raw: Raw, path: str, seen: defaultdict[str, set[str]]) -> None:
    table = _decode_table(raw) or {}
    seen[path].update(table)
    if path == "data.outcome." and "value" in table:
        _see(table["value"], "data.outcome.value.", seen)


def _printable(name: str) -> str:
    """A name chosen by a sender, as a header, a log and a table can hold it."""
    return _STRANGE.sub("?", name[:NAME_CHARACTERS_MAX]) or "?"


def told(names: Collection[str]) -> str:
    """The names in one line."""
    return ", ".join(names) + (", ..." if len(names) >= NAMES_MAX else "")
