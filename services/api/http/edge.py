"""What stands around every request: the bound of its body, headers of every answer, and a watch."""

import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spendmeter.platform.connection import ENDLESS
from spendmeter.platform.telemetry import Meters

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer; `no-store` is added where nothing else was said."""


class Edge:
    """ASGI middleware: a body of at most `body_bytes_max` of its path, and how long each route took."""

    def __init__(self, app: ASGIApp, meters: Meters, body_bytes_max: Callable[[str], int]) -> None:
        self._app = app
        self._meters = meters
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        taken = 0
        bytes_max = self._body_bytes_max(scope["path"])
        announced = int(Headers(scope=scope).get("content-length", 0))

        async def receive_bounded() -> Message:
            nonlocal taken
            message: Message = {} if announced > bytes_max else await receive()
            taken += len(message.get("body", b""))
            if max(announced, taken) > bytes_max:
                raise HTTPException(413, f"a body has at most {bytes_max} bytes")
            return message

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        began_s = time.perf_counter()
        try:
            await self._app(scope, receive_bounded, send_with_headers)
        finally:
            if ENDLESS not in scope.get("extensions", {}):  # how long somebody listens is no time of ours
                took_s, route = time.perf_counter() - began_s, getattr(scope.get("route"), "path", "none")
                self._meters.record("spendmeter.api.request.duration", took_s, route=route)
