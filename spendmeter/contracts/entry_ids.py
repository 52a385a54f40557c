"""The id of a catalog entry: a digest of what it says, so the same statement is the same entry anywhere."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from spendmeter.contracts.catalog import Entry

ENTRY_ID = re.compile(r"\b[a-z2-7]{13}\b")
"""As texts name entries."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_canonical = msgspec.json.Encoder(order="sorted").encode
_ABOUT = frozenset({"id", "version", "source", "recorded_at", "by", "note"})
_E = TypeVar("_E", bound=Entry)


def entry_id(entry: Entry) -> str:
    """13 characters of base32 (BLAKE2b-64) over what the entry says: type and fields, sorted, defaults left
    out, so that a field added later changes no existing id."""
    content = _content(entry)
    content["type"] = type(entry).__struct_config__.tag
    number = int.from_bytes(blake2b(_canonical(content), digest_size=8).digest(), "big") << 1
    return "".join([_PAIRS[number >> bits & 1023] for bits in range(55, 0, -10)]) + _LETTERS[number & 31]


def _content(struct: Struct) -> dict[str, Any]:
    names, values, defaults = _fields(type(struct))
    return {
        name: value if type(value) is str else _normal(value)
        for name, value, default in zip(names, values(struct), defaults, strict=True)
        if value is not default and value != default
    }


def _normal(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_normal(item) for item in value]
    if isinstance(value, Struct):
        return _content(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@cache
def _fields(
    kind: type[Struct],
) -> tuple[tuple[str, ...], Callable[[Struct], tuple[Any, ...]], tuple[Any, ...]]:
    """What an entry may say: the names, what gets their values, and the defaults."""
    fields = [each for each in msgspec.structs.fields(kind) if each.name not in _ABOUT]
    names = tuple(each.name for each in fields)
    defaults = tuple({} if each.default_factory is dict else each.default for each in fields)
    return names, attrgetter(*names), defaults


def identified(entry: _E) -> _E:
    """The entry with its id."""
    return msgspec.structs.replace(entry, id=entry_id(entry))


def published(entry: _E, version: int) -> _E:
    """The entry as publication `version` brings it."""
    return msgspec.structs.replace(entry, version=version)


def with_free_revision(entry: _E, withdrawn_by: Mapping[str, Sequence[str]], only_by: str = "") -> _E:
    """The entry, its revision raised past those that were withdrawn, so that it can be stated again.
    `withdrawn_by`: every known id, and what withdrew it (nothing = it is in force). With `only_by`, past what
    that one alone has withdrawn: a shipped price that an operator took out of force does not come back with
    the next start."""
    while (by := withdrawn_by.get(entry.id)) and (not only_by or set(by) == {only_by}):
        entry = identified(msgspec.structs.replace(entry, revision=entry.revision + 1))
    return entry
