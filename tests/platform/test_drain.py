"""Every usual client reads why it was refused, though it was refused while it was still sending."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from spendmeter.platform.drain import DRAIN_BYTES_MAX
from tests.platform.served import MB, Served, rest_of, serving

BODY = b"x" * (10 * MB)
NODE = """
const [url, size] = process.argv.slice(1)
const request = require('http').request(url, {method: 'POST', headers: {'Content-Length': size}}, answer => {
  let text = ''
  answer.on('data', piece => text += piece)
  answer.on('end', () => console.log(answer.statusCode + ' ' + text))
})
request.end(Buffer.alloc(Number(size)))
"""
JAVA = """
import java.net.URI; import java.net.http.*;
class Post { public static void main(String[] a) throws Exception {
  var request = HttpRequest.newBuilder(URI.create(a[0]))
    .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[Integer.parseInt(a[1])])).build();
  var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
  System.out.println(answer.statusCode() + " " + answer.body()); } }
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


def by_urllib(url: str, body: bytes) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def by_httpx(url: str, body: bytes) -> tuple[int, str]:
    answer = httpx.post(url, content=body, timeout=20)
    return answer.status_code, answer.text


def by_httpx_in_chunks(url: str, body: bytes) -> tuple[int, str]:
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    answer = httpx.post(url, content=pieces, timeout=20)
    return answer.status_code, answer.text


def by_requests(url: str, body: bytes) -> tuple[int, str]:
    answer = requests.post(url, data=body, timeout=20)
    return answer.status_code, answer.text


def by_aiohttp(url: str, body: bytes) -> tuple[int, str]:
    async def post() -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
            return answer.status, await answer.text()

    return asyncio.run(post())


def by_command(*command: str) -> tuple[int, str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on the PATH")
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    status, _, text = done.stdout.decode().partition(" ")
    return int(status), text


def by_node(url: str, body: bytes) -> tuple[int, str]:
    return by_command("node", "-e", NODE, url, str(len(body)))


def by_java(url: str, body: bytes, folder: Path) -> tuple[int, str]:
    (folder / "Post.java").write_text(JAVA)
    return by_command("java", str(folder / "Post.java"), url, str(len(body)))


CLIENTS = [by_urllib, by_httpx, by_httpx_in_chunks, by_requests, by_aiohttp, by_node]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_sends_ten_megabytes_reads_why_it_is_refused(
    served: Served, client: Callable[[str, bytes], tuple[int, str]]
) -> None:
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
