"""One HTTP connection within bounds that hold before it is known who asks.

uvicorn's connection on httptools, which bounds neither the head of a request nor the time until one is
complete; docs/decisions/http-bounds.md says why this and not another server.
"""

import asyncio
import tomllib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from spendmeter.platform.problem import problem
from spendmeter.platform.telemetry import Meters

GIVE_UP, CALL = "spendmeter.give_up", "call"
"""The ASGI extension that stops hearing a client out: `scope["extensions"][GIVE_UP][CALL]()`."""
ENDLESS = "spendmeter.endless"
"""What an application writes into `scope["extensions"]` of an answer without an end of its own: a process
that stops closes it, instead of waiting."""
RULES: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("connection_rules.toml").read_text("utf-8")
)
RETRY_AFTER_S = 1
LEFT_AT_ONCE = 20
"""When a process is full, one in so many connections makes room at once: looking for them costs."""


@dataclass(frozen=True, kw_only=True)
class ConnectionBounds:
    """What a stranger may have of a process."""

    head_bytes: int = 32 * 1024
    """Request line and headers. Cookies of all ports of a host come along: on localhost they are many."""
    headers: int = 100
    target_bytes: int = 8 * 1024
    head_s: float = 10.0
    """From the first byte (of a new connection: from its opening) to the last of the head."""
    body_s: float = 30.0
    """From the head to the last byte of the body: 10 MB of prices at 3 Mbit/s."""
    small_pieces: int = 1_000
    """Of a body, beyond which they average at least `piece_bytes_min`: what each costs is not its bytes."""
    piece_bytes_min: int = 4
    idle_s: int = 75
    """For how long a connection is kept for a next request: longer than proxies keep theirs (60 s), and than
    the portal pauses. Whoever lets go may do so while the other sends, and that request is lost."""
    stalled_s: float = 30.0
    """For how long a client may take nothing of what it is sent."""
    linger_s: float = 2.0
    """For how long a client that was turned away may go on sending, so that it comes to read why."""
    pipelined: int = 8
    """Requests sent ahead of the answer to an earlier one."""
    connections: int = 2_000
    """Of one process. Beyond it, whoever has been waited for longest makes room; see `Connection.busy`."""


class TurnedAway(Exception):
    """A request broke `rule`, one of RULES."""

    def __init__(self, rule: str, bounds: ConnectionBounds, **facts: Any) -> None:
        super().__init__(RULES[rule]["detail"].format(**vars(bounds), **facts))
        self.rule = rule
        self.status = HTTPStatus(RULES[rule]["status"])


class Connection(HttpToolsProtocol):
    """`look(now)` must be called about once a second: it ends what lasts too long."""

    def __init__(self, *, bounds: ConnectionBounds, meters: Meters, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._bounds = bounds
        self._meters = meters
        self._due: float | None = None
        """By when a request must be complete, or a client that is not heard any more gone; None = no wait."""
        self._stuck_since: float | None = None
        self._begun = self._in_body = False
        self._deaf = False
        """What still comes is read and dropped."""
        self._wire_bytes = self._content_bytes = self._content_pieces = self._head_bytes = 0
        self.waiting_since = 0.0
        """When the last answer was done, or the connection opened."""

    # What uvicorn and the event loop call.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self._due = self.waiting_since + self._bounds.head_s
        if len(self.connections) > self._bounds.connections and not self._make_room():
            self._turn_away(self._broken("connections"))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        if self._due is None:
            self._due = self.loop.time() + self._bounds.head_s
        self._wire_bytes += len(data)
        try:
            self._parse(data)
        except TurnedAway as refusal:
            self._turn_away(refusal)

    def pause_writing(self) -> None:
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since = None
        super().resume_writing()

    def shutdown(self) -> None:
        if self._deaf or self._is_endless():
            self.transport.close()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    # What the parser calls. What is raised here ends the parsing.

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._bounds.pipelined:
            raise self._broken("pipelined")
        super().on_message_begin()
        self._begun = True
        self._head_bytes = 0
        if self._due is None:
            self._due = self.loop.time() + self._bounds.head_s

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._bounds.target_bytes:
            raise self._broken("target")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if len(self.headers) >= self._bounds.headers or self._head_bytes > self._bounds.head_bytes:
            raise self._broken("head")
        if not self._in_body:  # a trailer is no header: nobody asked for one
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # `_parse` goes on
        super().on_headers_complete()
        self._in_body = True
        self._due = self.loop.time() + self._bounds.body_s
        self.scope["extensions"] = {GIVE_UP: {CALL: self.give_up}}

    def on_body(self, body: bytes) -> None:
        self._content_bytes += len(body)
        self._content_pieces += 1
        large_pieces = self._content_bytes // self._bounds.piece_bytes_min
        if self._content_pieces > self._bounds.small_pieces + large_pieces:
            raise self._broken("pieces")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._begun = self._in_body = False
        self._due = None
        self._wire_bytes = self._content_bytes = self._content_pieces = 0

    # What is ours.

    def busy(self) -> bool:
        """An answer is under way and its reader takes it. Everybody else is being waited for."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return answering and self._due is None and self._stuck_since is None

    def _is_endless(self) -> bool:
        """An answer is under way that nobody may wait for."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return answering and ENDLESS in self.cycle.scope.get("extensions", {})

    def look(self, now: float) -> None:
        """End what has lasted too long by `now` (of the loop's clock)."""
        if self.transport.is_closing() and self._stuck_since is None:
            self._stuck_since = now  # it closes once its reader has taken the rest
        if self._stuck_since is not None:
            if now - self._stuck_since > self._bounds.stalled_s:
                self.transport.abort()
        elif self._due is not None and now > self._due:
            self._end_wait()

    def give_up(self) -> None:
        """Say no more, and drop what still comes until the client has gone or `linger_s` is over: closed at
        once, with bytes unread, it would see a reset instead of the answer (RFC 9112 9.6)."""
        self._deaf = True
        self._due = self.loop.time() + self._bounds.linger_s
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_writing()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _parse(self, data: bytes) -> None:
        """Feed the parser. Raises TurnedAway."""
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
            except httptools.HttpParserError as error:
                cause = error.__context__
                if isinstance(cause, TurnedAway):
                    raise cause from None
                raise self._broken("malformed") from None
        # Chunk sizes, their extensions and trailers may be no more than the content that they frame.
        if self._wire_bytes - 2 * self._content_bytes > self._bounds.head_bytes:
            raise self._broken("head")

    def _head_without_upgrade(self) -> bytes:
        """The head again, for a parser that would drop the body: an Upgrade is passed over (RFC 9110 7.8)."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise self._broken("connect")
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        lines = [b"%b %b HTTP/1.1" % (method, self.url), *(b"%b: %b" % header for header in kept), b"", b""]
        return b"\r\n".join(lines)

    def _broken(self, rule: str, **facts: Any) -> TurnedAway:
        return TurnedAway(rule, self._bounds, **facts)

    def _end_wait(self) -> None:
        if self._deaf or not self._begun:
            self.transport.close()
        elif self._in_body and self.cycle.response_started:
            self.give_up()
        else:
            bounds, body = self._bounds, self._in_body
            what, seconds = ("body", bounds.body_s) if body else ("headers", bounds.head_s)
            self._turn_away(self._broken("late", what=what, seconds=seconds))

    def _turn_away(self, refusal: TurnedAway) -> None:
        """Answer with the rule that was broken, and hear no more."""
        self._meters.add("spendmeter.http.turned_away", rule=refusal.rule)
        if self._in_body and (self.cycle.response_started or self.pipeline):
            self.transport.close()  # an answer is under way: another would be taken for its end
        elif not self._in_body and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # the earlier requests are answered, then it closes
            self._deaf = True
            self._due = None
        else:
            self.transport.write(_answer(refusal))
            self.give_up()

    def _make_room(self) -> bool:
        """Leave those who were waited for longest; False = everybody is being answered."""
        waiting = [
            other
            for other in self.connections
            if isinstance(other, Connection) and other is not self and not other.busy()
        ]
        waiting.sort(key=lambda other: other.waiting_since)
        for other in waiting[: len(self.connections) // LEFT_AT_ONCE + 1]:
            self._meters.add("spendmeter.http.turned_away", rule="room")
            self.connections.discard(other)
            other.transport.abort()
        return bool(waiting)


def _answer(refusal: TurnedAway) -> bytes:
    headers = {"Connection": "close"}
    if refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    response = problem(refusal.status, refusal.status.phrase, str(refusal), headers=headers)
    lines = [name + b": " + value + b"\r\n" for name, value in response.raw_headers]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", bytes(response.body)])
