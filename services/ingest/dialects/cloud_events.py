"""CloudEvents that are none of ours: told apart, and read so far as meters ask. Pure.

CloudEvents come over HTTP in two modes: structured, the whole event in the body; and binary, its attributes
in headers `ce-*` and the data alone in the body. A binary one is written as a structured one, and read so.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from services.ingest.dialects.metered import ForeignEvent
from services.ingest.dialects.stated import Unusable, text_of
from spendmeter.contracts.meters import OWN_TYPES

_HEADER = "ce-"


class _Typed(Struct, frozen=True, gc=False):
    type: Any = None


class _CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """Attributes as the specification names them; one that is null is not there."""

    specversion: Any = None
    id: Any = None
    source: Any = None
    type: Any = None
    subject: Any = None
    time: Any = None
    tenant: Any = None
    data: Raw = Raw(b"null")
    data_base64: Any = None


_decode_typed: Callable[[bytes], _Typed] = msgspec.json.Decoder(_Typed).decode
_decode_event: Callable[[bytes], _CloudEvent] = msgspec.json.Decoder(_CloudEvent).decode
_decode_data: Callable[[bytes | Raw], Any] = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder().encode


def is_foreign(raw: bytes) -> bool:
    """Whether this is an event of a type that is none of ours. What names no type is ours to refuse."""
    try:
        kind = _decode_typed(raw).type
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(kind, str) and kind != "" and not kind.startswith(OWN_TYPES)


def foreign_event(raw: bytes) -> ForeignEvent:
    """The event of what `is_foreign`. Raises Unusable where it lacks what the specification, and OpenMeter,
    require."""
    try:
        said = _decode_event(raw)
        data = _decode_data(said.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError):
        raise Unusable("data", "is no JSON that can be read") from None
    if said.specversion != "1.0":
        raise Unusable("specversion", "must be '1.0'")
    if said.data_base64 is not None:
        raise Unusable("data_base64", "must not be there: the data of a metered event is JSON")
    if not isinstance(data, Mapping | None):
        raise Unusable("data", "must be a JSON object")
    for name in ("id", "source"):
        if not text_of(getattr(said, name)):
            raise Unusable(name, "must be a text that is not empty")
    return ForeignEvent(
        id=said.id,
        source=said.source,
        type=said.type,
        subject=text_of(said.subject),
        time=said.time,
        data=data or {},
        tenant=text_of(said.tenant),
    )


def structured(headers: Mapping[str, str], body: bytes) -> bytes:
    """The event of a request in binary mode, with its attributes beside its data. A body that is no JSON
    makes no JSON of it, which is refused where it is read."""
    attributes = {
        name[len(_HEADER) :]: unquote(value)
        for name, value in headers.items()
        if name.startswith(_HEADER) and name != "ce-data"
    }
    written = _encode(attributes)
    return written[:-1] + b',"data":' + body + b"}" if body.strip() else written
