"""The body of a request: read as a stream, unpacked, and never larger than its bounds."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import zstandard

from services.ingest.refused import RequestRefused, bad_request, too_large, unavailable, unsupported

WIRE_BYTES_MAX = 1024 * 1024
BODY_BYTES_MAX = 10 * 1024 * 1024
"""After decompression."""
ENCODINGS = ("gzip", "zstd")
"""In which a body may be packed."""
IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
IN_FLIGHT_REQUESTS_MAX = 1000

_GZIP = 16 + zlib.MAX_WBITS
_ZSTD_WINDOW_MAX = 8 * 1024 * 1024
"""What a frame may ask to be kept for unpacking it: what every encoder of RFC 8878 keeps to."""
_ZSTD_PIECE = 512
"""Bytes unpacked at a time: they become 16 MiB at the worst."""


@dataclass(frozen=True, kw_only=True)
class BodyBounds:
    """How large a request of one entrance may be."""

    wire_bytes_max: int = WIRE_BYTES_MAX
    body_bytes_max: int = BODY_BYTES_MAX
    """After decompression."""


BOUNDS = BodyBounds()


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
        """Count `size` bytes more. Raises RequestRefused 503 when all requests together hold too many. One
        alone is never told to come later, for later it would be as large: its entrance bounds it."""
        self._bytes += size
        self._all.bytes += size
        if self._all.bytes > IN_FLIGHT_BYTES_MAX and self._all.bytes > self._bytes:
            raise unavailable(f"{IN_FLIGHT_BYTES_MAX} bytes are in flight; send again")


async def read_body(
    headers: Mapping[str, str], stream: AsyncIterator[bytes], hold: Hold, bounds: BodyBounds = BOUNDS
) -> bytes:
    """The whole body, unpacked. Raises RequestRefused 400, 413, 415 or 503; stops reading at a bound.
    How long it may take is the connection's own bound."""
    encoding = headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding != "identity" and encoding not in ENCODINGS:
        raise unsupported(f"of an unknown content encoding; send {', '.join(ENCODINGS)} or none")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bounds.wire_bytes_max:
        raise _too_large_on_wire(bounds)
    wire = bytearray()
    async for chunk in stream:
        hold.add(len(chunk))
        wire += chunk
        if len(wire) > bounds.wire_bytes_max:
            raise _too_large_on_wire(bounds)
    if encoding == "identity":
        return bytes(wire)
    unpack = gunzip if encoding == "gzip" else unzstd
    body = unpack(bytes(wire), bounds.body_bytes_max)
    hold.add(len(body))
    return body


def gunzip(packed: bytes, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Unpack gzip, never beyond `bytes_max`. Raises RequestRefused 400 or 413."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, bytes_max + 1)
    except zlib.error:
        raise bad_request("the body is not gzip, as content-encoding says") from None
    return _unpacked(body, unpacker.eof, unpacker.unused_data, "gzip", bytes_max)


def unzstd(packed: bytes, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Unpack one zstd frame, never beyond `bytes_max`. Raises RequestRefused 400 or 413."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX).decompressobj()
    body, read = bytearray(), 0
    try:
        # In small pieces: what one unpacks to is known only when it has.
        while read < len(packed) and not unpacker.eof and len(body) <= bytes_max:
            body += unpacker.decompress(packed[read : read + _ZSTD_PIECE])
            read += _ZSTD_PIECE
    except zstandard.ZstdError:
        raise bad_request("the body is not zstd, as content-encoding says") from None
    return _unpacked(bytes(body), unpacker.eof, unpacker.unused_data + packed[read:], "zstd", bytes_max)


def _unpacked(body: bytes, ended: bool, after: bytes, name: str, bytes_max: int) -> bytes:
    if len(body) > bytes_max:
        raise too_large(f"a request may have at most {bytes_max} bytes after decompression")
    if not ended:
        raise bad_request(f"the {name} stream ends early")
    if after:
        raise bad_request(f"something follows the {name} stream")
    return body


def _too_large_on_wire(bounds: BodyBounds) -> RequestRefused:
    return too_large(
        f"a request may have at most {bounds.wire_bytes_max} bytes (as sent, before decompression)"
    )
