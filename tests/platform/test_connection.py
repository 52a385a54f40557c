"""What a stranger can do to a connection, and what it is told: bytes against the real server."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from spendmeter.platform.connection import ConnectionBounds
from tests.platform.served import MB, Served, problem_of, rest_of, serving

POST = b"POST /taken HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /taken HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _and_it_serves_on(served: Served) -> Iterator[None]:
    yield
    assert httpx.get(served.url + "/health", timeout=5).status_code == 200


def sizes(answer: bytes) -> list[int]:
    """What each of the answers says was taken."""
    return [int(size) for size in re.findall(rb'"size":(\d+)', answer)]


@pytest.mark.parametrize("piece", [b"a" * 65_536, b"A: b\r\n" * 10_000], ids=["one header", "many headers"])
def test_endless_headers_are_refused_with_431_and_the_connection_ends(served: Served, piece: bytes) -> None:
    began = time.monotonic()
    found = problem_of(served.talk(GET + b"X: ", *[piece] * 200), 431)
    assert "100 headers" in found["detail"]
    assert time.monotonic() - began < 5


def test_a_hundred_headers_are_taken_and_one_more_is_refused(served: Served) -> None:
    lines = b"".join(b"x-%d: 1\r\n" % number for number in range(98))
    assert sizes(served.talk(GET + lines + b"Connection: close\r\n\r\n")) == [0]
    problem_of(served.talk(GET + lines + b"x-99: 1\r\nConnection: close\r\n\r\n"), 431)


def test_an_address_of_nine_kilobytes_is_refused_with_414(served: Served) -> None:
    problem_of(served.talk(b"GET /taken?q=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414)


def test_half_sent_headers_are_told_408_however_steadily_they_drip(served: Served) -> None:
    began = time.monotonic()
    found = problem_of(served.talk(GET, *[b"x: 1\r\n"] * 12, pause_s=0.25), 408)
    assert found["detail"] == "the headers did not arrive within 1 s"
    assert time.monotonic() - began < 10


def test_a_connection_that_asks_nothing_is_closed_without_a_word(served: Served) -> None:
    assert served.talk() == b""
    assert served.talk(b"\r\n" * 1000) == b""


@pytest.mark.parametrize(
    "start",
    [POST + b"Content-Length: 100\r\n\r\nhalf", CHUNKED + b"4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
def test_half_a_body_is_told_408(served: Served, start: bytes) -> None:
    found = problem_of(served.talk(start), 408)
    assert found["detail"] == "the body did not arrive within 1.5 s"


def test_a_connection_without_a_further_request_is_closed(served: Served) -> None:
    with served.open(GET + b"\r\n") as connection:
        began = time.monotonic()
        assert sizes(rest_of(connection)) == [0]
        assert time.monotonic() - began < 20


def test_a_body_of_chunks_is_taken_whole(served: Served) -> None:
    for chunk, count in ((b"x" * 65_536, 16), (b"x" * 6, 20_000), (b"x", 900)):
        pieces = [b"%x\r\n%b\r\n" % (len(chunk), chunk)] * count
        headers = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        answer = served.talk(POST + headers, b"".join(pieces), b"0\r\n\r\n")
        assert sizes(answer) == [len(chunk) * count]


def test_a_body_in_pieces_of_a_byte_is_refused(served: Served) -> None:
    found = problem_of(served.talk(CHUNKED, *[b"1\r\nx\r\n" * 10_000] * 50), 400)
    assert found["detail"] == "a body in pieces of less than 4 bytes"


@pytest.mark.parametrize(
    "piece",
    [
        b"1;" + b"e" * 65_536,
        b"0\r\n" + b"t" * 65_536,
        b"0\r\n" + b"T: t\r\n" * 10_000,
    ],
    ids=["endless extension", "endless trailer", "endless trailers"],
)
def test_a_body_that_is_mostly_framing_is_refused(served: Served, piece: bytes) -> None:
    endless = piece.removeprefix(b"1;").removeprefix(b"0\r\n")
    problem_of(served.talk(CHUNKED, piece, *[endless] * 50), 431)


def test_a_trailer_is_no_header(served: Served) -> None:
    headers = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = served.talk(POST + headers, b"1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
    assert sizes(answer) == [1]
    assert b"authorization" not in answer


def test_requests_sent_ahead_are_answered_in_order_and_a_flood_of_them_ends_the_connection(
    served: Served,
) -> None:
    bodies = b"".join(POST + b"Content-Length: %d\r\n\r\n%b" % (n, b"x" * n) for n in range(5))
    assert sizes(served.talk(bodies + GET + b"Connection: close\r\n\r\n")) == [0, 1, 2, 3, 4, 0]
    answer = served.talk((GET + b"\r\n") * 20_000)
    assert len(sizes(answer)) < 100
    assert b"429" not in answer, "an answer out of order would be taken for another request's"


def test_a_client_that_takes_nothing_of_its_answer_is_left(served: Served) -> None:
    with served.open(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        time.sleep(4)
        assert len(rest_of(connection)) < 32 * MB


def test_what_is_no_http_is_told_so(served: Served) -> None:
    for nonsense in (b"\x16\x03\x01 tls?\r\n\r\n", b"GET /taken HTTP/9.9\r\n\r\n", GET + b"a b: c\r\n\r\n"):
        assert "RFC 9112" in problem_of(served.talk(nonsense), 400)["detail"]
    problem_of(served.talk(b"CONNECT a.test:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"), 501)


def test_http_1_0_is_answered_and_closed(served: Served) -> None:
    answer = served.talk(b"POST /taken HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
    assert sizes(answer) == [2]


@pytest.mark.parametrize("to", [b"h2c", b"websocket"])
def test_an_upgrade_is_passed_over_and_the_body_is_taken(served: Served, to: bytes) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMAAABk\r\n" % to
    body = b"Content-Length: 5\r\n\r\nhello"
    again = GET + b"Connection: close\r\n\r\n"
    assert sizes(served.talk(POST + upgrade + body + again)) == [5, 0]
    assert sizes(served.talk(POST + upgrade + b"Content-Length: 5\r\n\r\n", b"hel", b"lo" + again)) == [5, 0]


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_or_refused_at_once(served: Served) -> None:
    expect = b"Content-Length: 5\r\nExpect: 100-continue\r\n"
    with served.open(POST + expect + b"Connection: close\r\n\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert sizes(rest_of(connection)) == [5]
    with served.open(POST.replace(b"taken", b"refused") + expect + b"\r\n") as connection:
        answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in answer


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_strangers_who_hold_every_connection_make_room_for_who_asks(loop: str) -> None:
    with serving(loop, ConnectionBounds(head_s=60, connections=40)) as small, ExitStack() as stack:
        for number in range(200):
            stack.enter_context(small.open(GET + b"x: "))
            if number % 20 == 0:
                assert httpx.get(small.url + "/health", timeout=5).status_code == 200
        assert len(small.server.server_state.connections) <= 41


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_where_every_connection_is_being_answered_the_next_is_told_503(loop: str) -> None:
    with serving(loop, ConnectionBounds(connections=10)) as small, ExitStack() as stack:
        asked = b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        waiting = [stack.enter_context(small.open(asked)) for _ in range(10)]
        time.sleep(0.3)
        answer = small.talk(GET + b"\r\n")
        assert b"retry-after: 1" in answer.lower()
        problem_of(answer, 503)
        assert all(b'"slow":true' in rest_of(connection) for connection in waiting)
