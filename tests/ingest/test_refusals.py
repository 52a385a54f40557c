"""Whoever is refused reads why: five clients, each refused in eleven ways, some while they are still sending."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from services.ingest.accept import EVENTS_MAX
from services.ingest.body import BODY_BYTES_MAX, WIRE_BYTES_MAX
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.keys import create_key
from tests.ingest.harness import BATCH, ONE, PATH, READY_S_MAX, Ingest, event
from tests.platform.clients import Client, by_curl, by_go, by_httpx, by_requests, by_urllib

MB = 1_000_000
LARGE = b" " * 10 * MB

Refusal = tuple[int, str, str, bytes, dict[str, str]]
"""Status, a part of the reason, by which key, and what is sent."""


def _json(sent: Any) -> bytes:
    return json.dumps(sent).encode()


REFUSALS: dict[str, Callable[[], Refusal]] = {
    "a bad event": lambda: (400, "1 of 1 events are bad", "acme", _json(event(source="")), {}),
    "no key": lambda: (401, "unknown, expired or revoked", "nobody", LARGE, {}),
    "a key without the scope": lambda: (403, "has not the scope 'ingest'", "reader", LARGE, {}),
    "another's tenant": lambda: (403, "belongs to 'acme'", "acme", _json(event(tenant="globex")), {}),
    "too large on the wire": lambda: (413, f"at most {WIRE_BYTES_MAX} bytes (as sent", "acme", LARGE, {}),
    "too large unpacked": lambda: (
        413, f"at most {BODY_BYTES_MAX} bytes after", "acme", gzip.compress(b" " * 11 * MB), {"Content-Encoding": "gzip"},
    ),
    "too many events": lambda: (
        413, f"at most {EVENTS_MAX} events", "acme", _json([event(str(n)) for n in range(EVENTS_MAX + 1)]), {"Content-Type": BATCH},
    ),
    "another content type": lambda: (415, "another content type", "acme", LARGE, {"Content-Type": "text/csv"}),
    "another encoding": lambda: (415, "send gzip, zstd or none", "acme", LARGE, {"Content-Encoding": "br"}),
    "too often": lambda: (429, "may send 1 events a minute", "spent", LARGE, {}),
    "no broker": lambda: (503, "Kafka", "acme", _json(event()), {}),
}  # fmt: skip


@pytest.fixture(scope="module")
async def doors(door: Ingest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[int, Ingest]]:
    """The door that answers, with a key that has sent all that it may; and, for 503, one without a broker."""
    connection = await asyncpg.connect(door.database)
    door.keys["spent"] = await create_key(connection, "acme", ["ingest"], name="spent", events_per_minute=1)
    await connection.close()
    nowhere = KafkaAccess(servers="127.0.0.1:9")
    log = tmp_path_factory.mktemp("brokerless") / "ingest.log"
    brokerless = Ingest(kafka=nowhere, database=door.database, prefix="door.", log=log, keys=door.keys)
    brokerless.start()
    try:
        deadline = time.monotonic() + READY_S_MAX
        while "Kafka" not in brokerless.not_ready():
            assert time.monotonic() < deadline, brokerless.not_ready()
            time.sleep(0.1)
        yield {503: brokerless}
    finally:
        brokerless.stop()


@pytest.mark.parametrize("client", [by_curl, by_urllib, by_requests, by_httpx, by_go])
@pytest.mark.parametrize("name", REFUSALS)
def test_every_client_reads_status_and_reason(
    door: Ingest, doors: dict[int, Ingest], client: Client, name: str
) -> None:
    status, reason, key, body, headers = REFUSALS[name]()
    asked = doors.get(status, door)
    bearer = {"Authorization": f"Bearer {asked.keys.get(key, 'nobody')}", "Content-Type": ONE}
    if status == 429:
        _spend(door)
    found, text = _answer(client, asked, status, body, bearer | headers)
    assert found == status, text
    problem = json.loads(text)
    assert problem["status"] == status
    assert reason in problem["detail"]


def _answer(
    client: Client, asked: Ingest, status: int, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """Once more while a process that has just started reads its keys."""
    deadline = time.monotonic() + 20
    while True:
        found, text = client(asked.url + PATH, body, headers)
        if found == status and "have not been read" not in text:
            return found, text
        if time.monotonic() > deadline:
            return found, text
        time.sleep(0.2)


def _spend(door: Ingest) -> None:
    """Let the key send its event of this minute, unless it has."""
    deadline = time.monotonic() + 15
    while door.post(event("spends"), key="spent").status_code not in (204, 429):
        assert time.monotonic() < deadline
        time.sleep(0.2)
