"""The way to ingest: what is taken, what is refused for good, and what is to be sent again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from services.api.assets.door import AccrualDoor, EventsRefused, IngestAway
from tests.ports import free_port

EVENTS = [{"id": "1"}]
BAD = {
    "title": "x",
    "detail": "1 of 1 is bad",
    "errors": [{"index": 0, "field": "data.sku", "reason": "is too long"}],
}


class StandIn(ThreadingHTTPServer):
    """Answers as it is told, and keeps the last request."""

    daemon_threads = True
    answer: tuple[int, Any] = (204, None)
    asked: tuple[str, str, bytes] = ("", "", b"")


class _StandInHandler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked = self.path, self.headers["Authorization"], body
        status, said = self.server.answer
        raw = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def ingest() -> Iterator[StandIn]:
    server = StandIn(("127.0.0.1", 0), _StandInHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def door(server: StandIn) -> AccrualDoor:
    return AccrualDoor(f"http://127.0.0.1:{server.server_port}/", "sm_key")


async def test_what_is_taken_is_taken(ingest: StandIn) -> None:
    await door(ingest).send(EVENTS)
    assert ingest.asked == ("/api/v1/events", "Bearer sm_key", b'[{"id":"1"}]')


@pytest.mark.parametrize("status", [400, 403, 413])
async def test_what_is_refused_for_good_says_why(ingest: StandIn, status: int) -> None:
    ingest.answer = status, BAD
    with pytest.raises(EventsRefused, match=r"data\.sku: is too long"):
        await door(ingest).send(EVENTS)
    ingest.answer = status, {"detail": "tenant is pinned elsewhere"}
    with pytest.raises(EventsRefused, match=f"ingest answered {status}: tenant is pinned elsewhere"):
        await door(ingest).send(EVENTS)


@pytest.mark.parametrize("status", [302, 401, 408, 429, 500, 503])
async def test_what_may_be_taken_later_is_sent_again(ingest: StandIn, status: int) -> None:
    ingest.answer = status, None
    with pytest.raises(IngestAway):
        await door(ingest).send(EVENTS)


async def test_one_that_is_not_there_is_away() -> None:
    with pytest.raises(IngestAway):
        await AccrualDoor(f"http://127.0.0.1:{free_port()}", "sm_key").send(EVENTS)


def test_without_an_address_or_a_key_nothing_is_sent_from_here() -> None:
    assert not AccrualDoor("", "sm_key").there
    assert not AccrualDoor("http://ingest", "").there
