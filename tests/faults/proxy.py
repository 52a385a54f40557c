"""A network between a service and Postgres that is slow, stands still, or breaks: inside the round trip of a COMMIT.

It knows as much of Postgres' messages as that takes: where one ends, that `COPY` data makes a transaction a booking,
and which query ends it. Sessions are plain (no TLS on the loopback address), so all of it can be read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType

STARTUP_CODES = {80877103: "SSL", 80877104: "GSS"}
"""What asks for encryption: answered by one byte, and followed by the real start."""
PIECE_BYTES = 65_536
ANSWER_S_MAX = 5.0


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A connection that was ended when its COMMIT was sent and not answered."""

    at: datetime
    session: int
    committed: bool
    """Postgres had said so, to the proxy alone; otherwise nobody knows."""

    def __str__(self) -> str:
        how = "Postgres had committed" if self.committed else "with the COMMIT under way"
        return f"{self.at:%H:%M:%S.%f} session {self.session}: {how}"


@dataclass
class Proxy:
    """`with Proxy(port) as proxy:` listens at `proxy.port` in a thread of its own, so that nobody who waits holds it up."""

    upstream: int
    port: int = 0
    delay_s: float = 0.0
    """Of each message, each way."""
    frozen: bool = False
    """Nothing passes, and nothing is closed."""
    cuts_due: int = 0
    """So many of the next bookings lose their connection inside COMMIT: in turn before and after it was done."""
    cuts: list[Cut] = field(default_factory=list)
    sessions: int = 0

    def __enter__(self) -> Proxy:
        self._listening, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._listening.wait(10), "the proxy does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    def of(self, url: str) -> str:
        """The URL of a database, by way of this proxy."""
        return url.replace(f":{self.upstream}/", f":{self.port}/")

    def sever(self) -> None:
        """End every connection of a service now, as a machine between them does that goes away."""
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in self._writers])

    async def _run(self) -> None:
        self._loop, self._writers = asyncio.get_running_loop(), set[asyncio.StreamWriter]()
        server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        while not self._over.is_set():
            await asyncio.sleep(0.05)
        server.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self._writers.add(writer)
        number = self.sessions
        with suppress(OSError, asyncio.IncompleteReadError):
            async with _connected(self.upstream) as (upper, lower):
                session = _Session(self, number, reader, writer, upper, lower)
                ways = [asyncio.create_task(way) for way in (session.up(), session.down())]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        self._writers.discard(writer)
        writer.transport.abort()

    async def pass_on(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """As the network is now."""
        while self.frozen:
            await asyncio.sleep(0.02)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


@dataclass
class _Session:
    """One connection: `reader` and `writer` are the service's end, `upper` and `lower` Postgres' answers and questions."""

    proxy: Proxy
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upper: asyncio.StreamReader
    lower: asyncio.StreamWriter
    swallowing: bool = False
    swallowed: asyncio.Event = field(default_factory=asyncio.Event)

    async def up(self) -> None:
        """What the service asks, until the connection is cut or it ends it."""
        await self._start()
        books = False
        while True:
            head = await self.reader.readexactly(5)
            body = await self.reader.readexactly(int.from_bytes(head[1:]) - 4)
            books = books or head[:1] == b"d"
            ends = head[:1] == b"Q" and body[:6] in (b"COMMIT", b"ROLLBA")
            if ends and books and body.startswith(b"COMMIT") and self.proxy.cuts_due > 0:
                self.proxy.cuts_due -= 1
                await self._cut(head + body)
                return
            books = books and not ends
            await self.proxy.pass_on(self.lower, head + body)

    async def down(self) -> None:
        """What Postgres answers."""
        while data := await self.upper.read(PIECE_BYTES):
            if self.swallowing:
                self.swallowed.set()
            else:
                await self.proxy.pass_on(self.writer, data)

    async def _start(self) -> None:
        """Messages before the first that has a type."""
        while True:
            length = await self.reader.readexactly(4)
            body = await self.reader.readexactly(int.from_bytes(length) - 4)
            await self.proxy.pass_on(self.lower, length + body)
            if int.from_bytes(body[:4]) not in STARTUP_CODES:
                return

    async def _cut(self, commit: bytes) -> None:
        """The service's end is gone for good; Postgres reads the COMMIT, and in every second case has answered it."""
        committed = len(self.proxy.cuts) % 2 == 1
        self.swallowing = True
        self.lower.write(commit)
        await self.lower.drain()
        if committed:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self.swallowed.wait()
        self.writer.transport.abort()
        self.proxy.cuts.append(Cut(at=datetime.now(UTC), session=self.number, committed=committed))
