"""Somebody to be alerted: a webhook that answers when it may, and a budget that breaks at once."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import asyncpg

SECRET = "whsec_" + b64encode(b"the fault harness signs with this").decode()


class Receiver(ThreadingHTTPServer):
    """A webhook that does not answer until it may."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.received: list[tuple[str, dict[str, Any]]] = []
        """(webhook-id, body) of every attempt."""
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        receiver.received.append((self.headers["webhook-id"], body))
        receiver.arrived.set()
        receiver.may_answer.wait(60)
        with suppress(OSError):  # the sender was killed
            self.send_response(204)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            receiver.shutdown()


@asynccontextmanager
async def told_of_a_budget(
    owner: asyncpg.Connection, receiver: Receiver, budget: UUID, name: str
) -> AsyncIterator[None]:
    """A budget of one cent for a team that spends, and a channel to the receiver; both are gone afterwards."""
    channel, url = uuid4(), f"http://127.0.0.1:{receiver.server_address[1]}/"
    await owner.execute(
        "INSERT INTO channels (tenant, id, name, settings) VALUES "
        "('acme', $1, $2, jsonb_build_object('kind', 'webhook', 'url', $3::text, 'secret', $4::text))",
        channel, name, url, SECRET,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO budgets (tenant, id, name, filter, amount, currency, period) "
        "VALUES ('acme', $1, $2, '{\"team\": \"team-01\"}', 0.01, 'USD', 'day')",
        budget, name,
    )  # fmt: skip
    yield
    await owner.execute("UPDATE channels SET deleted_at = now() WHERE id = $1", channel)
    await owner.execute("UPDATE budgets SET deleted_at = now() WHERE id = $1", budget)
