"""The body of a request: read as a stream, unpacked, and never larger than its bounds."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from services.ingest.refused import RequestRefused, bad_request, too_large, unavailable, unsupported

WIRE_BYTES_MAX = 1024 * 1024
BODY_BYTES_MAX = 10 * 1024 * 1024
"""After decompression."""
IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
IN_FLIGHT_REQUESTS_MAX = 1000

_GZIP = 16 + zlib.MAX_WBITS


@dataclass
class InFlight:
    """What all requests hold together; beyond the bounds a request is turned away before it is read."""

    requests: int = 0
    bytes: int = 0


class Hold:
    """One request's share of what is in flight: `with Hold(in_flight) as hold`."""

    def __init__(self, in_flight: InFlight) -> None:
        self._all = in_flight
        self._bytes = 0

    def __enter__(self) -> Hold:
        if self._all.requests >= IN_FLIGHT_REQUESTS_MAX:
            raise unavailable(f"{IN_FLIGHT_REQUESTS_MAX} requests are in flight; send again")
        self._all.requests += 1
        return self

    def __exit__(self, *_raised: object) -> None:
        self._all.requests -= 1
        self._all.bytes -= self._bytes

    def add(self, size: int) -> None:
        """Count `size` bytes more. Raises RequestRefused 503 when all requests together hold too many."""
        self._bytes += size
        self._all.bytes += size
        if self._all.bytes > IN_FLIGHT_BYTES_MAX:
            raise unavailable(f"{IN_FLIGHT_BYTES_MAX} bytes are in flight; send again")


async def read_body(headers: Mapping[str, str], stream: AsyncIterator[bytes], hold: Hold) -> bytes:
    """The whole body, unpacked. Raises RequestRefused 400, 413, 415 or 503; stops reading at a bound.
    How long it may take is the connection's own bound."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"gzip", "identity", ""}:
        raise unsupported(f"content encoding {encoding[:80]!r}; send gzip or none")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > WIRE_BYTES_MAX:
        raise _too_large_on_wire()
    wire = bytearray()
    async for chunk in stream:
        hold.add(len(chunk))
        wire += chunk
        if len(wire) > WIRE_BYTES_MAX:
            raise _too_large_on_wire()
    if encoding != "gzip":
        return bytes(wire)
    body = gunzip(bytes(wire))
    hold.add(len(body))
    return body


def gunzip(packed: bytes) -> bytes:
    """Unpack gzip, never beyond BODY_BYTES_MAX. Raises RequestRefused 400 or 413."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, BODY_BYTES_MAX + 1)
    except zlib.error:
        raise bad_request("the body is not gzip, as content-encoding says") from None
    if len(body) > BODY_BYTES_MAX:
        raise too_large(f"a request may have at most {BODY_BYTES_MAX} bytes after decompression")
    if not unpacker.eof:
        raise bad_request("the gzip stream ends early")
    if unpacker.unused_data:
        raise bad_request("something follows the gzip stream")
    return body


def _too_large_on_wire() -> RequestRefused:
    return too_large(f"a request may have at most {WIRE_BYTES_MAX} bytes (as sent, before decompression)")
