"""The id of a catalog entry: a digest of what it says, so the same statement is the same entry anywhere."""

import re
from base64 import b32encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from spendmeter.contracts.catalog import Entry

ENTRY_ID = re.compile(r"\b[a-z2-7]{13}\b")
"""As texts name entries."""
_canonical = msgspec.json.Encoder(order="sorted").encode
_ABOUT = frozenset({"id", "version", "source", "recorded_at", "by", "note"})
_E = TypeVar("_E", bound=Entry)


def entry_id(entry: Entry) -> str:
    """13 characters of base32 (BLAKE2b-64) over what the entry says: type and fields, sorted, defaults left
    out, so that a field added later changes no existing id."""
    content = _content(entry) | {"type": type(entry).__struct_config__.tag}
    return b32encode(blake2b(_canonical(content), digest_size=8).digest()).decode().rstrip("=").lower()


def _content(struct: Struct) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, default in _defaults(type(struct)):
        value = getattr(struct, name)
        if value != default:
            content[name] = _normal(value)
    return content


def _normal(value: Any) -> Any:
    if isinstance(value, Struct):
        return _content(value)
    if isinstance(value, tuple):
        return [_normal(item) for item in value]
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@cache
def _defaults(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    fields = msgspec.structs.fields(kind)
    return tuple(
        (field.name, {} if field.default_factory is dict else field.default)
        for field in fields
        if field.name not in _ABOUT
    )


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
