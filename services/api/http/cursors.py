"""Pages: a cursor is an opaque text for where the next one begins."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel

from services.api.http.problems import invalid

_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


def page(
    model: type[_Model], rows: Sequence[Any], limit: int, place: Callable[[Any], object]
) -> tuple[list[_Model], str | None]:
    """At most `limit` of `rows` (of which one more was read), and the cursor of the next page or None."""
    cursor = encode_cursor(place(rows[limit - 1])) if len(rows) > limit else None
    return [model.model_validate(dict(row)) for row in rows[:limit]], cursor


def digest_of(parameters: Iterable[tuple[str, str]], leave_out: Iterable[str]) -> str:
    """Tells one question from another: a cursor belongs to the question that it was given for."""
    kept = sorted((name, value) for name, value in parameters if name not in leave_out)
    return blake2b(msgspec.json.encode(kept), digest_size=6).hexdigest()


def encode_cursor(place: object) -> str:
    """An opaque text for where the next page begins."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(cursor: str, shape: type[_T]) -> _T:
    """What `encode_cursor` was given. Raises HttpRefusal (422)."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise invalid("cursor", "is not one that this route gave out") from None
