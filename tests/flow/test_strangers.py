"""What a stranger without a key, or with a page of another name, can do to a running system."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple
from uuid import uuid4

import httpx
import psutil
import pytest

from deploy.local.services import SERVICES
from tests.flow.system import System, eventually, usage_event
from tests.hardship import stall

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
BODIES = {"ingest": "/api/v1/events", "api": "/v1/budgets"}
"""Where a body may be sent to."""
STALL_S_MAX = 2.0
"""A machine that runs other things as well; `make hardship` prints what it was."""
GROWTH_BYTES_MAX = 100 * 1024 * 1024


def port_of(system: System, name: str) -> int:
    return system.process(name).port


def sent(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(data)
    return connection


def heard(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    answer = b""
    while piece := connection.recv(65_536):
        answer += piece
    return answer


class Halves(NamedTuple):
    """Connections that have sent half of a request."""

    heads: list[socket.socket]
    bodies: list[socket.socket]


@pytest.fixture(scope="module", autouse=True)
def halves(system: System) -> Iterator[Halves]:
    """Opened before anything else here, so that nobody need wait for what becomes of them."""
    with ExitStack() as stack:
        heads = [stack.enter_context(sent(port_of(system, name), HEALTH)) for name in SERVICES]
        bodies = []
        for name, path in BODIES.items():
            head = (
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {system.keys['acme']}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
            bodies.append(stack.enter_context(sent(port_of(system, name), head.encode())))
        yield Halves(heads, bodies)


@pytest.mark.alone
def test_strangers_without_a_key_neither_stall_a_service_nor_grow_it(system: System) -> None:
    def memory() -> int:
        return sum(psutil.Process(system.process(name).pid).memory_info().rss for name in ("ingest", "api"))

    before = memory()
    measured = stall.measure(system)
    assert measured["stall_max_ms"] < STALL_S_MAX * 1e3
    assert memory() - before < GROWTH_BYTES_MAX
    event = f"after-{uuid4().hex}"
    assert system.send(usage_event(event)).status_code == 204
    eventually("the event is booked", lambda: booked(system, event), 30)


def booked(system: System, event: str) -> bool:
    headers = {"Authorization": f"Bearer {system.keys['acme']}"}
    query = {"source": "flow", "id": event}
    return httpx.get(f"{system.api}/v1/events", params=query, headers=headers, timeout=30).status_code == 200


def test_endless_headers_are_answered_with_431_on_every_port(system: System) -> None:
    for name in SERVICES:
        with sent(port_of(system, name), HEALTH + b"x: y\r\n" * 200) as endless:
            assert heard(endless).startswith(b"HTTP/1.1 431 ")


def test_a_client_that_sends_ten_megabytes_reads_the_413_of_ingest_and_api(system: System) -> None:
    for name, path in BODIES.items():
        url = f"http://127.0.0.1:{port_of(system, name)}{path}"
        request = urllib.request.Request(url, data=b" " * 10_000_000)
        request.add_header("Authorization", f"Bearer {system.keys['acme']}")
        request.add_header("Content-Type", "application/json")
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(request, timeout=60):
            pass
        with refused.value as answer:
            assert answer.code == 413
            assert "bytes" in json.load(answer)["detail"]


@pytest.mark.parametrize("name", BODIES)
def test_a_page_whose_name_was_rebound_to_this_machine_reads_nothing(system: System, name: str) -> None:
    url = f"http://127.0.0.1:{port_of(system, name)}"
    for path in ("/", "/v1/session", "/openapi.json", "/health"):
        answer = httpx.get(url + path, headers={"Host": "evil.test"}, timeout=30)
        assert answer.status_code == 421
        assert "SPENDMETER_HOSTS" in answer.json()["detail"]
    assert httpx.get(url + "/ready", headers={"Host": "10.1.2.3:8400"}, timeout=30).status_code == 200


def test_half_sent_headers_are_answered_with_408_and_closed_on_every_port(halves: Halves) -> None:
    for half in halves.heads:
        assert b"the headers did not arrive within 10 s" in heard(half)


def test_half_a_body_is_answered_with_408_on_ingest_and_api(halves: Halves) -> None:
    for half in halves.bodies:
        assert b"the body did not arrive within 30 s" in heard(half)
