"""A listener's stream as server-sent events: totals, heartbeats, and why it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.live.following import LiveListener, LiveTotals
from services.api.live.models import LiveSpend
from spendmeter.platform.connection import ENDLESS

MEDIA = "text/event-stream"
AUTHORISED_S = 3.0
"""After so long it is asked anew whether the stream may go on: with keys that are read every 5 s, a revoked
one ends within the 10 s that hold for every route."""
RETRY_MS = 5_000
HEARTBEAT = b": there\n\n"

MayGoOn = Callable[[], Awaitable[str | None]]
"""Why it may not; '' = it may; None = nobody can say now, so nothing is told until somebody can."""


class LiveResponse(StreamingResponse):
    """However it ends, nobody listens any more. A process that stops does not wait for it."""

    def __init__(self, live: LiveTotals, listener: LiveListener, may_go_on: MayGoOn) -> None:
        super().__init__(pieces(live, listener, may_go_on), media_type=MEDIA)
        # What stands between hands each piece on at once: nginx by its header, who compresses by the other.
        self.headers["X-Accel-Buffering"] = "no"
        self.headers["Cache-Control"] = "no-store, no-transform"
        self._live, self._listener = live, listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        scope.setdefault("extensions", {})[ENDLESS] = {}
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._live.leave(self._listener)


async def pieces(
    live: LiveTotals,
    listener: LiveListener,
    may_go_on: MayGoOn,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """As they are to be sent. Whoever takes one late is told the newest then, and only if it may go on."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    asked_s = clock()
    said: LiveSpend | None = None
    reason: str | None = ""
    while True:
        await _woken(listener, asked_s + AUTHORISED_S - clock())
        if clock() - asked_s >= AUTHORISED_S:
            asked_s = clock()
            if reason := await may_go_on():
                listener.end(reason)
            else:
                yield HEARTBEAT
        if listener.ended:
            yield event("end", {"reason": listener.ended})
            return
        newest = live.newest(listener)
        if reason is not None and newest is not None and newest is not said:
            said = newest
            yield told(newest)


async def _woken(listener: LiveListener, seconds: float) -> None:
    try:
        await asyncio.wait_for(listener.woken.wait(), max(0.0, seconds))
    except TimeoutError:
        return
    listener.woken.clear()


def told(newest: LiveSpend) -> bytes:
    """An event with all of it: there is nothing to be made up for, so it has no id."""
    return f"event: totals\ndata: {newest.model_dump_json(by_alias=True)}\n\n".encode()


def event(name: str, data: Any) -> bytes:
    """One event."""
    return f"event: {name}\ndata: {msgspec.json.encode(data).decode()}\n\n".encode()
