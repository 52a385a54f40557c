"""Connections without a key that do their worst, as a process of its own: `python -m tests.hardship.strangers PORT...`

It runs until it is ended. Each stranger starts again, after a breath, whenever the server has closed on it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable, Iterator

HEAD = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BREATH_S = 0.05
"""Between two connections of a stranger: the bounds are of a connection, not of how often one asks."""
PIECE_BYTES = 65_536
NICE = 19
"""Strangers have machines of their own: here they get the processor time that the services leave."""


def endless_header() -> Iterator[bytes]:
    """One header without end."""
    return itertools.chain([HEAD + b"X: "], itertools.repeat(b"x" * PIECE_BYTES))


def endless_headers() -> Iterator[bytes]:
    """Headers without end."""
    return itertools.chain([HEAD], itertools.repeat(b"a: b\r\n" * (PIECE_BYTES // 6)))


def tiny_chunks() -> Iterator[bytes]:
    """A body in chunks of one byte."""
    return itertools.chain([CHUNKED], itertools.repeat(b"1\r\nx\r\n" * (PIECE_BYTES // 6)))


def endless_extension() -> Iterator[bytes]:
    """A chunk whose extension never ends."""
    return itertools.chain([CHUNKED + b"1;"], itertools.repeat(b"e" * PIECE_BYTES))


def requests_ahead() -> Iterator[bytes]:
    """Requests by the thousand, with no look at an answer."""
    return itertools.repeat(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1_500)


def half_headers() -> Iterator[bytes]:
    """Half of the headers, and silence."""
    return iter([HEAD + b"X: "])


def half_body() -> Iterator[bytes]:
    """Half of a body, and silence."""
    return iter([HEAD + b"Content-Length: 1000\r\n\r\nhalf"])


STRANGERS: dict[Callable[[], Iterator[bytes]], int] = {
    endless_header: 4,
    endless_headers: 4,
    tiny_chunks: 4,
    endless_extension: 2,
    requests_ahead: 2,
    half_headers: 400,
    half_body: 100,
}
"""How many of each on every port."""


async def do(port: int, kind: Callable[[], Iterator[bytes]]) -> None:
    """Send what this kind sends until the server closes; for ever."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for piece in kind():
                    writer.write(piece)
                    await writer.drain()
                while await reader.read(PIECE_BYTES):
                    pass
            finally:
                writer.close()
        except OSError:
            pass
        await asyncio.sleep(BREATH_S)


async def main() -> None:
    """All of them."""
    os.nice(NICE)
    async with asyncio.TaskGroup() as group:
        for port in map(int, sys.argv[1:]):
            for kind, count in STRANGERS.items():
                for _ in range(count):
                    group.create_task(do(port, kind))


if __name__ == "__main__":
    asyncio.run(main())
