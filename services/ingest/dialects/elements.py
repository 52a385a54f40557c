"""The elements of a request that has one or many: a JSON array, lines of JSON, or one object. Pure."""

from io import BytesIO
from itertools import islice

import msgspec
from msgspec import Raw

from services.ingest.arrays import array_of
from services.ingest.dialects.mended import mended
from services.ingest.refused import BadEvent, RequestRefused, bad_request, too_large

Elements = list[bytes | Raw]


def elements_of(body: bytes, most: int) -> Elements:
    """Each of them undecoded, in the order of the request; mended where it is no JSON as it came. A line that
    is none all the same is one of them too: who reads it, says so. Raises RequestRefused 400 or 413."""
    if body.lstrip()[:1] == b"[":
        return _array(body, most)
    lines = list(islice((line for line in BytesIO(body) if not line.isspace()), most + 1))
    if not lines:
        raise bad_request("the body is empty", [BadEvent(index=None, field="", reason="is empty")])
    if len(lines) == 1 or not _is_json(_json(lines[0])):
        return [_json(body)]  # written over several lines, or bad
    if len(lines) > most:
        raise too_large(f"a request may have at most {most} elements")
    return [_json(line) for line in lines]


def _array(body: bytes, most: int) -> Elements:
    try:
        return list(array_of(body, most))
    except RequestRefused:
        if (again := mended(body)) == body:
            raise
        return list(array_of(again, most))


def _json(line: bytes) -> bytes:
    return line if _is_json(line) else mended(line)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
