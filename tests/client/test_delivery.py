"""What becomes of events when the server is away, busy, or says no."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from typing import Any

import pytest

from spendmeter_client import Drop, Meter, Stats
from spendmeter_client import delivery as delivery_module
from tests.client.stand_in import Got, Rule, Said, StandIn, standing_in
from tests.ports import free_port

USAGE = {"input_tokens": 5}


def record(meter: Meter, count: int = 1, **more: Any) -> list[str]:
    return [
        meter.record(**{"provider": "openai", "model": "gpt-4o", "usage": USAGE} | more) for _ in range(count)
    ]


def in_turn(answers: Sequence[Said]) -> Rule:
    """Each once; then 204."""
    left: Iterator[Said] = iter(answers)
    return lambda _got: next(left, Said())


def test_events_go_in_batches_of_a_thousand_packed(server: StandIn) -> None:
    with Meter(server.url, "k", linger_s=5) as meter:
        ids = record(meter, 2500)
        assert meter.flush()
    assert [len(got.events) for got in server.got] == [1000, 1000, 500]
    assert {got.headers["content-encoding"] for got in server.got} == {"gzip"}
    assert server.ids() == ids


def test_a_batch_has_at_most_a_mebibyte(server: StandIn) -> None:
    with Meter(server.url, "k", linger_s=5) as meter:
        record(meter, 50, labels={"team": "x" * 100_000})
    assert sum(len(got.events) for got in server.got) == 50
    assert {len(got.events) for got in server.got} == {
        10
    }  # 10 x 100 kB and what is around them, 11 would be too many


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_be_taken_later_is_sent_again_with_the_same_ids(
    server: StandIn, meter: Meter, status: int
) -> None:
    server.rule = in_turn([Said(status=status)] * 2)
    ids = record(meter, 3)
    assert meter.flush()
    assert [[event["id"] for event in got.events] for got in server.got] == [ids, ids, ids]
    assert meter.stats == Stats(3, 3, 0, 0, {})


@pytest.mark.parametrize("said", ["1", pytest.param(None, id="a date")])
def test_the_server_says_when_to_come_back_and_nobody_hurries_that(
    server: StandIn, meter: Meter, said: str | None
) -> None:
    said = said or formatdate(time.time() + 2, usegmt=True)
    times: list[float] = []

    def rule(_got: Got) -> Said:
        times.append(time.monotonic())
        return Said(status=503, headers={"Retry-After": said}) if len(times) == 1 else Said()

    server.rule = rule
    record(meter)
    assert meter.flush(10)
    assert 0.95 <= times[1] - times[0] < 4


def test_a_batch_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []
    monkeypatch.setattr(
        delivery_module.random, "uniform", lambda low, high: drawn.append((low, high)) or high
    )
    waits = [delivery_module._backoff_s(attempt) for attempt in range(10)]
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
    assert all(low == high / 2 for low, high in drawn)


def test_what_was_taken_and_never_answered_is_sent_again_with_the_same_ids(
    server: StandIn, meter: Meter
) -> None:
    server.rule = in_turn([Said(answered=False)] * 3)
    ids = record(meter, 3)
    assert meter.flush()
    assert server.ids() == ids * 4
    assert meter.stats == Stats(3, 3, 0, 0, {})


def test_fields_that_the_server_does_not_know_are_logged_once(
    server: StandIn, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    server.rule = lambda _got: Said(headers={"Spendmeter-Dropped": "data.labels.tema"})
    for _ in range(3):
        record(meter, labels={"tema": "search"})
        assert meter.flush()
    assert [each.getMessage() for each in caplog.records] == [
        "the server does not know, and did not keep: data.labels.tema"
    ]
    assert meter.stats == Stats(3, 3, 0, 0, {})


def test_bad_events_are_dropped_by_their_place_and_the_others_sent(
    server: StandIn, meter: Meter, drops: list[Drop]
) -> None:
    def rule(got: Got) -> Said:
        bad = [at for at, event in enumerate(got.events) if event["data"]["sku"] == "bad"]
        errors = [{"index": at, "field": "data.usage", "reason": "holds a negative quantity"} for at in bad]
        return Said(status=400, problem={"detail": "2 are bad", "errors": errors}) if bad else Said()

    server.rule = rule
    first, _, second, _ = (record(meter, model=model)[0] for model in ("good", "bad", "good", "bad"))
    assert meter.flush()
    assert server.ids() == [first, second]
    assert drops == [Drop(2, "refused", "data.usage: holds a negative quantity")]
    assert meter.stats == Stats(4, 2, 2, 0, {"refused": 2})


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 415, 422])
def test_a_refusal_for_good_drops_the_batch_and_says_why(
    server: StandIn, meter: Meter, drops: list[Drop], status: int
) -> None:
    server.rule = in_turn([Said(status=status, problem={"title": "No", "detail": "the key was revoked"})])
    record(meter, 3)
    assert meter.flush()
    assert drops == [Drop(3, "refused", f"{status} the key was revoked")]
    record(meter)
    assert meter.flush()
    assert meter.stats == Stats(4, 1, 3, 0, {"refused": 3})


@pytest.mark.parametrize(
    "problem",
    [
        None,
        {},
        {"errors": "all"},
        {"errors": [{"index": 99}, {"index": True}, 7]},
        {"errors": [{"index": -1}]},
    ],
)
def test_a_refusal_that_names_no_event_of_ours_drops_the_batch(
    server: StandIn, meter: Meter, problem: dict[str, Any] | None
) -> None:
    server.rule = in_turn([Said(status=400, problem=problem)])
    record(meter, 3)
    assert meter.flush()
    assert meter.stats.dropped_by == {"refused": 3}


def test_what_is_too_large_is_sent_in_halves(server: StandIn, meter: Meter) -> None:
    server.rule = lambda got: Said(status=413) if len(got.events) > 2 else Said()
    ids = record(meter, 7)
    assert meter.flush()
    assert server.ids() == ids
    assert meter.stats == Stats(7, 7, 0, 0, {})


def test_one_event_that_is_too_large_for_the_server_is_dropped(server: StandIn, meter: Meter) -> None:
    server.rule = lambda got: (
        Said(status=413) if any(e["data"]["sku"] == "large" for e in got.events) else Said()
    )
    first, _, last = (record(meter, model=model)[0] for model in ("gpt-4o", "large", "gpt-4o"))
    assert meter.flush()
    assert server.ids() == [first, last]
    assert meter.stats.dropped_by == {"refused": 1}


def test_a_full_buffer_drops_what_comes_and_counts_it(drops: list[Drop]) -> None:
    port = free_port()
    with Meter(
        f"http://127.0.0.1:{port}", "k", buffer_events_max=10, linger_s=60, on_drop=drops.append
    ) as meter:
        ids = record(meter, 15)
        assert meter.stats == Stats(15, 0, 5, 10, {"buffer full": 5})
        with standing_in(port=port) as server:
            assert meter.flush()
            assert server.ids() == ids[:10]
            assert ids[10:] == [""] * 5
    assert drops == [Drop(5, "buffer full", "more was recorded than could be sent")]


def test_a_buffer_is_full_by_bytes_too() -> None:
    with Meter("http://127.0.0.1:1", "k", buffer_bytes_max=1000, linger_s=60, exit_s=0) as meter:
        record(meter, 20)
        stats = meter.stats
        assert stats.dropped_by["buffer full"] + stats.waiting == 20
        assert 2 <= stats.waiting <= 4  # an event has some 260 bytes


def test_a_server_that_comes_back_gets_everything_once(drops: list[Drop]) -> None:
    port = free_port()
    with Meter(f"http://127.0.0.1:{port}", "k", linger_s=0.01, on_drop=drops.append) as meter:
        ids = record(meter, 100)
        assert not meter.flush(0.6)
        ids += record(meter, 100)
        with standing_in(port=port) as server:
            assert meter.flush(20)
            assert server.ids() == ids
    assert drops == []


def test_what_has_no_room_is_told_while_the_server_is_away(
    drops: list[Drop], caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Meter(url, "k", buffer_events_max=10, linger_s=0.01, exit_s=0, on_drop=drops.append) as meter:
        record(meter, 1)
        until = time.monotonic() + 20
        while not drops:
            record(meter, 20)
            assert time.monotonic() < until
            time.sleep(0.05)
        assert drops[0].why == "buffer full"
        assert "the server does not answer (ConnectionRefusedError)" in caplog.text


def test_close_takes_no_longer_than_it_may_and_counts_what_is_left(drops: list[Drop]) -> None:
    meter = Meter(f"http://127.0.0.1:{free_port()}", "k", linger_s=0.01, on_drop=drops.append)
    record(meter, 2500)
    began = time.monotonic()
    meter.close(0.5)
    assert time.monotonic() - began < 3
    assert meter.stats == Stats(2500, 0, 2500, 0, {"not delivered before the end": 2500})
    assert sum(drop.count for drop in drops) == 2500


def test_close_does_not_wait_for_a_server_that_wants_to_be_asked_in_an_hour(server: StandIn) -> None:
    server.rule = lambda _got: Said(status=503, headers={"Retry-After": "3600"})
    meter = Meter(server.url, "k", linger_s=0.01)
    record(meter)
    while not server.got:
        time.sleep(0.01)
    began = time.monotonic()
    meter.close(5)
    assert time.monotonic() - began < 3
    assert meter.stats.dropped_by == {"not delivered before the end": 1}


@pytest.fixture
def cutting() -> Iterator[Callable[[int], str]]:
    """The address of a server that answers 204 once a connection, says that it keeps it, and cuts it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                while b"}]" not in connection.recv(65536):
                    pass
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    yield lambda _n: f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


def test_a_kept_connection_that_was_cut_meanwhile_costs_no_wait(cutting: Callable[[int], str]) -> None:
    with Meter(cutting(0), "k", linger_s=0) as meter:
        began = time.monotonic()
        for _ in range(20):
            record(meter)
            assert meter.flush(5)
        assert time.monotonic() - began < 2
        assert meter.stats.sent == 20


def test_an_answer_without_an_end_is_given_up(server: StandIn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        meter = Meter(f"http://127.0.0.1:{silent.getsockname()[1]}", "k", timeout_s=0.2, linger_s=0)
        record(meter)
        assert not meter.flush(1)
        began = time.monotonic()
        meter.close(0.3)
        assert time.monotonic() - began < 2


def test_plain_http_goes_through_the_proxy_that_the_environment_names(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://user:word@"))
    monkeypatch.setenv("no_proxy", "")
    with Meter("http://meter.example/base", "k") as meter:
        record(meter)
    assert server.got[0].path == "http://meter.example/base/api/v1/events"
    assert server.got[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Meter(server.url, "k") as meter:
        record(meter)
    assert server.got[1].path == "/api/v1/events"
