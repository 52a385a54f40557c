"""What `Meter.record` makes of its arguments, and that nothing it is given breaks the application."""

from __future__ import annotations

import logging
import signal
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.gate import check_rules
from spendmeter_client import Drop, Meter, Stats
from spendmeter_client.events import Circumstances, usage_event
from tests.client.stand_in import StandIn

USAGE = {"input_tokens": 5}


def record(meter: Meter, **more: Any) -> str:
    return meter.record(**{"provider": "openai", "model": "gpt-4o", "usage": USAGE} | more)


def test_what_is_recorded_is_an_event_of_the_contract(server: StandIn, meter: Meter) -> None:
    at = datetime(2026, 3, 1, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    event_id = record(
        meter,
        usage={"input_tokens": 2000, "audio_seconds": Decimal("1.5"), "output_tokens": None},
        labels={"team": "payments", "run": 81, "feature": None},
        time=at,
        latency_ms=830.4,
        status="ok",
        outcome="refund_resolved",
        context={"service_tier": "flex"},
        reported_cost={"amount": Decimal("0.04"), "currency": "USD"},
    )
    assert meter.flush()
    assert server.taken == [{
        "specversion": "1.0", "type": "spendmeter.usage.v1", "id": event_id, "source": "checkout-bot", "subject": "checkout-bot",
        "time": "2026-03-01T09:30:00+00:00",
        "data": {
            "provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 2000, "audio_seconds": "1.5"},
            "labels": {"team": "payments", "run": "81"}, "performance": {"latency_ms": 830, "status": "ok"},
            "outcome": {"name": "refund_resolved"}, "context": {"service_tier": "flex"},
            "reported_cost": {"amount": "0.04", "currency": "USD"},
        },
    }]  # fmt: skip


def test_the_server_reads_what_is_recorded() -> None:
    around = Circumstances(
        "id-1", "bot", {"team": "é\u0301"}, None, 12, {"name": "done", "count": 2}, {"cost_class": "tool"}
    )
    raw = usage_event("openai", "gpt-4o", {"input_tokens": 3, "gpu_seconds": Decimal("0.25")}, around)
    event = read_event(raw)
    check_rules(event, False)
    assert (event.id, event.data.usage, event.data.cost_class) == (
        "id-1", {"input_tokens": 3, "gpu_seconds": Decimal("0.25")}, "tool",
    )  # fmt: skip


def test_a_time_is_when_it_was_recorded_and_not_when_it_was_sent(server: StandIn) -> None:
    before = datetime.now(UTC)
    with Meter(server.url, "k", linger_s=0.4) as meter:
        record(meter)
        recorded = datetime.now(UTC)
    assert before <= datetime.fromisoformat(server.taken[0]["time"]) <= recorded


def test_what_the_application_changes_later_is_not_what_was_recorded(server: StandIn, meter: Meter) -> None:
    usage, labels = {"input_tokens": 5}, {"team": "search"}
    record(meter, usage=usage, labels=labels)
    usage["input_tokens"], labels["team"] = 999, "ads"
    assert meter.flush()
    data = server.taken[0]["data"]
    assert (data["usage"], data["labels"]) == ({"input_tokens": 5}, {"team": "search"})


def test_labels_of_a_call_go_over_those_of_the_meter(server: StandIn) -> None:
    with Meter(server.url, "k", labels={"team": "search", "environment": "prod"}) as meter:
        record(meter, labels={"team": "ads"})
        record(meter)
    assert [event["data"]["labels"] for event in server.taken] == [
        {"team": "ads", "environment": "prod"}, {"team": "search", "environment": "prod"},
    ]  # fmt: skip


def test_address_key_and_source_come_from_the_environment(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPENDMETER_URL", server.url + "/")
    monkeypatch.setenv("SPENDMETER_KEY", "sm_secret")
    monkeypatch.setenv("SPENDMETER_SOURCE", "invoices")
    with Meter() as meter:
        record(meter)
    assert server.got[0].path == "/api/v1/events"
    assert server.got[0].headers["authorization"] == "Bearer sm_secret"
    assert server.taken[0]["source"] == "invoices"


class _Stubborn:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"usage": {}}, "usage: has no quantity"),
        ({"usage": {"input_tokens": None}}, "usage: has no quantity"),
        ({"usage": {"input_tokens": float("nan")}}, "ValueError"),
        ({"usage": {"input_tokens": object()}}, "a value of type object is no JSON"),
        ({"usage": None}, "AttributeError"),
        ({"usage": 5}, "AttributeError"),
        ({"provider": ""}, "provider: must be a string that is not empty"),
        ({"model": None}, "model: must be a string that is not empty"),
        ({"labels": {"team": _Stubborn()}}, "RuntimeError"),
        ({"labels": "search"}, "AttributeError"),
        ({"id": 7}, "id: must be a string that is not empty"),
        ({"time": "yesterday"}, "time: must be a datetime"),
        ({"latency_ms": "fast"}, "TypeError"),
        ({"prompt": "my secret"}, "prompt: there is no such argument"),
        ({"labels": {"team": "x" * 300_000}}, "has more than 262144 bytes"),
    ],
)
def test_what_cannot_be_metered_is_counted_told_and_raises_nothing(
    server: StandIn, meter: Meter, drops: list[Drop], wrong: dict[str, Any], reason: str
) -> None:
    assert record(meter, **wrong) == ""
    assert drops == [Drop(1, "invalid", reason)]
    assert meter.stats == Stats(1, 0, 1, 0, {"invalid": 1})
    assert record(meter) != ""
    assert meter.flush()
    assert len(server.taken) == 1


def test_a_reason_is_logged_once_and_never_what_was_given(
    meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="spendmeter"):
        for _ in range(50):
            record(meter, usage={"input_tokens": {"my secret"}})
    assert [each.getMessage() for each in caplog.records] == [
        "dropped 1 event(s), invalid: a value of type set is no JSON (logged once; Meter.stats counts on)"
    ]
    assert meter.stats.dropped_by == {"invalid": 50}


def test_a_callback_that_raises_stops_nothing(server: StandIn) -> None:
    def broken(_drop: Drop) -> None:
        raise RuntimeError("of the application's own")

    with Meter(server.url, "k", on_drop=broken) as meter:
        record(meter, usage={})
        record(meter)
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("url", "key", "reason"),
    [
        ("", "", "set SPENDMETER_URL and SPENDMETER_KEY, or pass url and key"),
        ("http://localhost:1", "", "set SPENDMETER_URL and SPENDMETER_KEY, or pass url and key"),
        ("localhost:8001", "k", "the address must begin with http:// or https://, and name a host"),
        ("http://localhost:port", "k", "Port could not be cast to integer value as 'port'"),
        ("http://localhost", "k\r\nX-Other: 1", "the key has characters that no key has"),
    ],
)
def test_without_an_address_or_a_key_the_application_runs_and_is_told_once(
    url: str, key: str, reason: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPENDMETER_URL", "SPENDMETER_KEY"):
        monkeypatch.delenv(name, raising=False)
    meter = Meter(url, key)
    assert [record(meter), record(meter)] == ["", ""]
    assert meter.flush(0)
    meter.close()
    assert meter.stats.dropped_by == {"not configured": 2}
    assert [each.getMessage() for each in caplog.records] == [
        f"dropped 0 event(s), not configured: {reason} (logged once; Meter.stats counts on)"
    ]


class Team(StrEnum):
    SEARCH = "search"


def test_names_of_an_enumeration_are_their_values(server: StandIn, meter: Meter) -> None:
    record(meter, labels={"team": Team.SEARCH}, context={"service_tier": Team.SEARCH})
    assert meter.flush()
    assert server.taken[0]["data"]["labels"] == {"team": "search"}


def test_after_close_nothing_is_taken_and_what_came_before_is_sent(server: StandIn, meter: Meter) -> None:
    record(meter)
    meter.close()
    assert record(meter) == ""
    meter.close()
    assert meter.stats == Stats(2, 1, 1, 0, {"closed": 1})
    assert len(server.taken) == 1


def test_fifty_threads_record_at_once_and_nothing_is_lost(server: StandIn, meter: Meter) -> None:
    ids: list[list[str]] = [[] for _ in range(50)]

    def work(mine: list[str]) -> None:
        for _ in range(200):
            mine.append(record(meter))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.flush()
    assert sorted(server.ids()) == sorted(each for mine in ids for each in mine)
    assert meter.stats == Stats(10_000, 10_000, 0, 0, {})


async def test_an_event_loop_is_not_held_up(server: StandIn, meter: Meter) -> None:
    import asyncio

    async def work() -> None:
        for _ in range(20):
            record(meter)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(50)))
    assert await asyncio.to_thread(meter.flush)
    assert len(set(server.ids())) == len(server.taken) == 1000


def test_a_signal_handler_may_record_while_its_thread_records(server: StandIn, meter: Meter) -> None:
    handled = 0

    def handler(_signal: int, _frame: object) -> None:
        nonlocal handled
        handled += 1
        record(meter)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        recorded, until = 0, time.monotonic() + 0.5
        while time.monotonic() < until:
            record(meter)
            meter.stats  # noqa: B018 it holds the buffer, too
            recorded += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert meter.flush()
    assert handled > 5
    stats = meter.stats
    assert (stats.recorded, stats.sent, stats.waiting) == (recorded + handled, recorded + handled, 0)
    assert len(set(server.ids())) == len(server.taken) == recorded + handled
