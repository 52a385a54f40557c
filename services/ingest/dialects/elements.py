"""The elements of a request that has one or many: a JSON array, lines of JSON, or one object. Pure."""

import re
from collections.abc import Callable
from functools import cache
from io import BytesIO
from itertools import islice

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.ingest.refused import BadEvent, RequestRefused, bad_request, too_large

Elements = list[bytes | Raw]
_NOT_FINITE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)', re.DOTALL)
"""Texts, to pass over what they say, and what is none and no number."""


def elements_of(body: bytes, most: int) -> Elements:
    """Each of them undecoded, in the order of the request. A line that is no JSON is one of them all the
    same: who reads it, says so. Raises RequestRefused 400 or 413."""
    if body.lstrip()[:1] == b"[":
        return _array(finite(body), most)
    lines = [
        finite(line) for line in islice((line for line in BytesIO(body) if not line.isspace()), most + 1)
    ]
    if not lines:
        raise bad_request("the body is empty", [BadEvent(index=None, field="", reason="is empty")])
    if len(lines) == 1 or not _is_json(lines[0]):
        return [finite(body)]  # written over several lines, or bad
    if len(lines) > most:
        raise too_large(f"a request may have at most {most} elements")
    return list(lines)


def finite(body: bytes) -> bytes:
    """With null in the place of NaN and Infinity, which Python writes and JSON does not have: one in an
    answer's probabilities must not cost a whole batch."""
    if b"NaN" not in body and b"Infinity" not in body:
        return body
    return _NOT_FINITE.sub(lambda found: found[0] if found[0][:1] == b'"' else b"null", body)


def _array(body: bytes, most: int) -> Elements:
    try:
        found = msgspec.structs.astuple(_decoder(most)(body))
    except RecursionError:
        raise _no_json("is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_json(f"is not JSON: {error}") from None
    elements = [element for element in found if element is not UNSET]
    if len(elements) > most:
        raise too_large(f"a request may have at most {most} elements")
    return elements


@cache
def _decoder(most: int) -> Callable[[bytes], msgspec.Struct]:
    """Into a struct of so many fields: what comes after them is skipped, not stored, so that a body of a
    million elements takes no more memory than one of `most`."""
    fields = [(f"element_{number}", Raw | UnsetType, UNSET) for number in range(most + 1)]
    return msgspec.json.Decoder(msgspec.defstruct("_Elements", fields, array_like=True)).decode


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _no_json(reason: str) -> RequestRefused:
    return bad_request("the body is no list", [BadEvent(index=None, field="", reason=reason)])
