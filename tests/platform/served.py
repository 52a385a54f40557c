"""A small application behind the real server, on a port and in a thread of its own; and a client of bytes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from spendmeter.platform.connection import ConnectionBounds
from spendmeter.platform.serve import Server, probe_routes, problem
from spendmeter.platform.settings import Settings
from tests.ports import free_port

SHORT = ConnectionBounds(head_s=1, body_s=1.5, idle_s=2, stalled_s=1, linger_s=1)
"""Bounds that a test can wait for. What lasts too long is ended within a second more."""
MB = 1024 * 1024


async def taken(request: Request) -> Response:
    """How much of a body came, and which headers."""
    try:
        size = len(await request.body())
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse({"size": size, "headers": sorted(request.headers)})


async def refused(_request: Request) -> Response:
    """A refusal that does not look at the body."""
    return problem(401, "Unauthorized", "no key, no entry")


async def slow(_request: Request) -> Response:
    await asyncio.sleep(1.5)
    return JSONResponse({"slow": True})


async def large(_request: Request) -> Response:
    async def pieces() -> Any:
        for _ in range(64):
            yield b"x" * MB

    return StreamingResponse(pieces())


def application() -> Starlette:
    return Starlette(
        routes=[
            *probe_routes(lambda: ""),
            Route("/taken", taken, methods=["GET", "POST"]),
            Route("/refused", refused, methods=["GET", "POST"]),
            Route("/slow", slow),
            Route("/large", large),
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Served:
    """Where it listens."""

    port: int
    server: Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, *pieces: bytes, pause_s: float = 0.0) -> socket.socket:
        """A connection that has sent the pieces, as far as they were taken."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        for piece in pieces:
            try:
                connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(pause_s)
        return connection

    def talk(self, *pieces: bytes, pause_s: float = 0.0) -> bytes:
        """All that is answered until the server closes."""
        with self.open(*pieces, pause_s=pause_s) as connection:
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the end of the connection; a reset ends it too."""
    answer = b""
    try:
        while piece := connection.recv(MB):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def problem_of(answer: bytes, status: int) -> dict[str, Any]:
    """The one problem that was answered, with the connection closed after it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:500]
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == status
    return found


@contextmanager
def serving(loop: str = "uvloop", bounds: ConnectionBounds = SHORT, **settings: Any) -> Iterator[Served]:
    """`loop`: uvloop as the services use it, or asyncio."""
    port = free_port()
    server = Server(application(), Settings(port=port, **settings), bounds=bounds)
    run = uvloop.run if loop == "uvloop" else asyncio.run
    thread = threading.Thread(target=lambda: run(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Served(port=port, server=server)
    finally:
        server.should_exit = True
        thread.join(20)
