"""In what two events of one identity differ: names of fields, never what they hold. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError

NAMES_MAX = 5
_NEVER_THE_SAME = frozenset({"time", "receivedat", "keyid", "data.labels.user"})
"""What the content hash leaves out: a retry may carry another one."""
_ABSENT = object()


def describe_difference(booked: bytes, sent: bytes) -> str:
    """The fields that differ, such as "data.usage.output_tokens, subject"; '' = none that can be named."""
    try:
        one, other = (dict(_fields(msgspec.to_builtins(read_event(raw)))) for raw in (booked, sent))
    except EventError:
        return ""  # it passed an older gate
    names = sorted(
        name
        for name in (one.keys() | other.keys()) - _NEVER_THE_SAME
        if one.get(name, _ABSENT) != other.get(name, _ABSENT) and name.isprintable()
    )
    more = len(names) - NAMES_MAX
    return ", ".join(names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _fields(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _fields(inner, f"{path}{name}.")
        else:
            yield path + name, inner
