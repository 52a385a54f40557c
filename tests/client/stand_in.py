"""A server that stands in for ours: it keeps what it is sent, and answers what a test wants.

python -m tests.client.stand_in PORT      answers 204 to everything, and keeps nothing
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    events: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    problem: dict[str, Any] | None = None
    answered: bool = True
    """Whether the client ever hears of it."""


Rule = Callable[[Got], Said]


class StandIn(ThreadingHTTPServer):
    """`rule` decides each answer; `got` holds every request, `taken` the events of those answered 204."""

    daemon_threads = True

    def __init__(self, port: int = 0, rule: Rule = lambda _got: Said(), *, keeps: bool = True) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.keeps = keeps
        self.rule = rule
        self.got: list[Got] = []
        self.taken: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.keeps:
            self._say(Said())
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        got = Got(path=self.path, headers=headers, events=json.loads(body))
        self.server.got.append(got)
        said = self.server.rule(got)
        if said.status < 300:
            self.server.taken += got.events
        if not said.answered:
            self.close_connection = True
            return
        self._say(said)

    def _say(self, said: Said) -> None:
        content = b"" if said.problem is None else json.dumps(said.problem).encode()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        if said.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def standing_in(rule: Rule = lambda _got: Said(), port: int = 0) -> Iterator[StandIn]:
    """One that serves meanwhile."""
    with StandIn(port, rule) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


if __name__ == "__main__":
    StandIn(int(sys.argv[1]), keeps=False).serve_forever()
