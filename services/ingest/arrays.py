"""The elements of a JSON array, undecoded, and never more of them than were asked for. Pure."""

from collections.abc import Callable
from functools import cache

import msgspec
from msgspec import UNSET, Raw, UnsetType

from services.ingest.refused import BadEvent, RequestRefused, bad_request, too_large

FEW = 32
"""Elements that most short arrays stay below, and that are split off faster."""
SHORT_BYTES = 64 * 1024
"""A longer array is not looked through twice."""
Split = Callable[[bytes | Raw], list[Raw]]


@cache
def splitter(most: int) -> Split:
    """How arrays are split into their first `most` elements, and one more where they have more, by which that
    is known. Raises what msgspec does of what is no array."""
    enough = min(FEW, most + 1)
    few, many = _first(enough), _first(most + 1)

    def split(array: bytes | Raw) -> list[Raw]:
        if memoryview(array).nbytes <= SHORT_BYTES and len(found := few(array)) < enough:
            return found
        return many(array)

    return split


def array_of(body: bytes, most: int, what: str = "elements") -> list[Raw]:
    """The elements of a body that is an array. Raises RequestRefused: 400 for none, 413 for too many."""
    try:
        found = splitter(most)(body)
    except RecursionError:
        raise _no_array("is nested too deep", what) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_array(f"is not JSON: {error}", what) from None
    if len(found) > most:
        raise too_large(f"a request may have at most {most} {what}")
    return found


def _first(count: int) -> Split:
    """Into a struct of so many fields: what comes after them is skipped, not stored, so that a body of a
    million elements takes no more memory than one of `count`."""
    fields = [(f"element_{number}", Raw | UnsetType, UNSET) for number in range(count)]
    decode = msgspec.json.Decoder(msgspec.defstruct("_Elements", fields, array_like=True, gc=False)).decode

    def split(array: bytes | Raw) -> list[Raw]:
        return [element for element in msgspec.structs.astuple(decode(array)) if element is not UNSET]

    return split


def _no_array(reason: str, what: str) -> RequestRefused:
    return bad_request(f"the body is no list of {what}", [BadEvent(index=None, field="", reason=reason)])
