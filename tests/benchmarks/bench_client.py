"""What metering adds to a call of an application: how long `Meter.record` and `Meter.response` take there.

    python -m tests.benchmarks.bench_client [--events 100000] [--paced-events 20000] [--rate 2000]

A server of another process takes the batches meanwhile, so that the delivering thread does all that it does in
earnest. Each call is timed by itself: first as fast as they go, then at a rate, between which the application sleeps (a
call that begins while the other thread computes waits for the interpreter; one after a sleep finds nothing in the
processor's caches). The bar: the 99th percentile of `record` below 50 microseconds. `record_cpu` is what a call
computes, whatever else the machine does meanwhile. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deploy.local.home import CLONE
from spendmeter_client import Meter
from tests.ports import free_port

Clock = Callable[[], int]
USAGE = {"input_tokens": 1200, "cache_read_tokens": 8000, "output_tokens": 80}
LABELS = {"team": "search", "feature": "answers", "environment": "prod"}


def measure(meter: Meter, events: int, paced_events: int, rate: float) -> dict[str, Any]:
    """The figures, in microseconds."""

    def record() -> None:
        meter.record(provider="openai", model="gpt-4o", usage=USAGE, labels=LABELS, latency_ms=830)

    found: dict[str, Any] = {}
    for name, count, pace, clock in (
        ("record", events, 0.0, time.perf_counter_ns),
        ("record_cpu", events, 0.0, time.thread_time_ns),
        ("paced", paced_events, 1 / rate, time.perf_counter_ns),
    ):
        found |= _percentiles(name, _timed(record, count, pace, clock))
        meter.flush(60)
    response = _response()
    found |= _percentiles(
        "response", _timed(lambda: meter.response("openai", response), paced_events, 1 / rate)
    )
    return found | {"flushed": meter.flush(60), "sent": meter.stats.sent, "dropped": meter.stats.dropped}


def _timed(
    call: Callable[[], None], count: int, pace_s: float, clock: Clock = time.perf_counter_ns
) -> list[int]:
    """Nanoseconds of each call."""
    times = [0] * count
    due = time.perf_counter()
    for at in range(count):
        began = clock()
        call()
        times[at] = clock() - began
        due += pace_s
        if pace_s and (left := due - time.perf_counter()) > 0:
            time.sleep(left)
    return times


def _percentiles(name: str, times: list[int]) -> dict[str, float]:
    times.sort()
    at = {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "max": times[-1]}
    return {f"{name}_{which}_us": round(value / 1000, 1) for which, value in at.items()}


def _response() -> Any:
    """An answer as OpenAI's SDK returns it."""
    from openai.types.chat import ChatCompletion

    return ChatCompletion.model_validate({
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "word " * 2000}}],
        "usage": {
            "prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
        },
    })  # fmt: skip


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.client.stand_in", str(port)], cwd=CLONE)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the stand-in does not listen"
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--paced-events", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=2_000)
    options = parser.parse_args()
    with serving() as url, Meter(url, "sm_bench_key", buffer_events_max=1_000_000) as meter:
        gc.collect()
        print(json.dumps(measure(meter, options.events, options.paced_events, options.rate)))


if __name__ == "__main__":
    main()
