"""Every usual client reads why it was refused, though it was refused while it was still sending."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from spendmeter.platform.drain import DRAIN_BYTES_MAX
from tests.platform.clients import CLIENTS, Client, by_java, by_node
from tests.platform.served import MB, Served, rest_of, serving

BODY = b"x" * (10 * MB)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("client", [*CLIENTS, by_node])
def test_a_client_that_sends_ten_megabytes_reads_why_it_is_refused(served: Served, client: Client) -> None:
    status, text = client(served.url + "/refused", BODY)
    assert (status, json.loads(text)["detail"]) == (401, "no key, no entry")


def test_javas_client_which_asks_to_upgrade_is_taken_and_refused_like_any_other(
    served: Served, tmp_path: Path
) -> None:
    status, text = by_java(served.url + "/taken", BODY, tmp_path)
    assert (status, json.loads(text)["size"]) == (200, len(BODY))
    assert by_java(served.url + "/refused", BODY, tmp_path)[0] == 401


def test_curl_reads_why_it_is_refused_whether_it_waits_for_a_100_or_not(served: Served) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on the PATH")
    for expect in ("Expect:", "Expect: 100-continue"):
        command = ["curl", "-sS", "-H", expect, "-T", "-", "-X", "POST", served.url + "/refused"]
        done = subprocess.run(command, input=BODY, capture_output=True, timeout=60, check=False)
        assert json.loads(done.stdout)["status"] == 401, done.stderr


def test_a_refused_client_may_ask_again_on_the_same_connection(served: Served) -> None:
    used = set()
    with httpx.Client() as client:
        for _ in range(3):
            with client.stream("POST", served.url + "/refused", content=BODY) as answer:
                used.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
                assert "no key" in answer.read().decode()
    assert len(used) == 1


def test_a_client_that_announces_too_much_is_told_that_the_connection_closes(served: Served) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (100 * MB)
    with served.open(head, b"x" * MB) as connection:
        assert b"connection: close" in connection.recv(2_000).lower()


def test_a_client_that_never_stops_sending_is_given_up_and_the_server_serves_on(served: Served) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b"x" * MB + b"\r\n"
    began = time.monotonic()
    sent = 0
    with served.open(head) as connection, pytest.raises(OSError, match=r"reset|pipe"):
        assert connection.recv(2_000).startswith(b"HTTP/1.1 401 ")
        while time.monotonic() - began < 30:
            connection.sendall(chunk)
            sent += MB
            if sent > DRAIN_BYTES_MAX:
                time.sleep(0.05)
    assert sent >= DRAIN_BYTES_MAX
    assert httpx.get(served.url + "/health").status_code == 200


def test_a_client_that_stops_half_way_after_a_refusal_is_closed(served: Served) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
    with served.open(head) as connection:
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"}")
