"""A Spendmeter of one thread: what ingest and api answer to the commands, kept in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Fake(ThreadingHTTPServer):
    """`answers` are given to POSTs first, one each; after them every event is booked at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.booked: dict[str, dict[str, Any]] = {}
        self.duplicates = 0
        self.conflicts = 0
        self.status = "priced"
        self.remarks: list[str] = []
        self.keys: set[str | None] = set()
        self.unbooked: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def post(self, events: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        with self.lock:
            if self.answers:
                return self.answers.pop(0)
            for event in events:
                booked = self.booked.setdefault(event["id"], event)
                self.conflicts += booked["data"] != event["data"]
                self.duplicates += booked is not event and booked["data"] == event["data"]
            return 204, {}

    def receipt(self, id: str) -> tuple[int, dict[str, Any]]:
        if id not in self.booked:
            return 404, {}
        unit = next(iter(self.booked[id]["data"]["usage"]))
        line = {
            "unit": unit, "status": self.status, "arithmetic": ["5 x 2 = 10 USD"], "reason": None,
            "remarks": self.remarks,
        }  # fmt: skip
        entry = {
            "recorded_at": "2026-11-23T10:00:01Z", "status": self.status, "effective": "10", "currency": "USD",
            "catalog_version": 7, "lines": [line], "in_force": True,
        }  # fmt: skip
        outcomes = ["duplicate"] * self.duplicates + ["conflict"] * self.conflicts
        copies = [
            {
                "outcome": outcome, "reason": "seen before", "recorded_at": "2026-11-23T10:00:02Z",
                "partition": 0, "offset": at,
            }
            for at, outcome in enumerate(outcomes)
        ]  # fmt: skip
        return 200, {
            "status": "booked", "source": "cli", "id": id, "time": "2026-11-23T10:00:00Z", "entries": [entry],
            "copies": copies[::-1],
        }  # fmt: skip

    def accounting(self) -> tuple[int, dict[str, Any]]:
        counts = {"booked": len(self.booked), "duplicate": self.duplicates, "conflict": 0, "rejected": 0}
        return 200, {
            "total": counts | {"in_flight": 0}, "complete_through": datetime.now(UTC).isoformat(),
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Fake

    def do_POST(self) -> None:
        self.server.keys.add(self.headers["Authorization"])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*self.server.post(body))

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/v1/accounting":
            self._answer(*self.server.accounting())
        elif url.path in self.server.unbooked:
            self.server.asked.append(f"{url.path}?{url.query}")
            self._answer(200, self.server.unbooked[url.path])
        else:
            self._answer(*self.server.receipt(parse_qs(url.query)["id"][0]))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def fake_system() -> Iterator[Fake]:
    """Serves until the end of the block."""
    with Fake() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
