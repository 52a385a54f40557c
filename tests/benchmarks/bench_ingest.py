"""Ingest alone: one process on one core, acknowledged by a real broker.

    python -m tests.benchmarks.bench_ingest [--seconds 20] [--overload 600]

1. A real Kafka and Postgres, and `python -m services.ingest` with keys, gate, pseudonym keys and telemetry as
   always. The process may use one core alone; broker, database and load generator share the others.
2. events_per_s: requests of 100 events, as fast as 16 connections are answered. single_per_s: the same of one
   event each, 64 connections. single_p99_ms: at half of that rate, from when a request was due to its answer.
3. otlp_spans_per_s: POST /v1/traces, requests of 512 spans in protobuf, each a chat call with cached tokens as
   OpenTelemetry's own instrumentation writes it, two of a hundred an agent's span that repeats its children.
4. Overload: the broker is stopped (SIGSTOP), and 64 connections send batches of 100 for so long; memory (RSS of
   the process) is read each second. flat = the last tenth of the time needs at most a tenth more than the second.
   Then the broker goes on, and one request must be taken again.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from deploy.local.home import CLONE
from tests.benchmarks.otlp_requests import otlp_requests
from tests.ingest.harness import Ingest, event, prepare_kafka, prepare_postgres
from tests.stack import Stack

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 64, 16
SPANS = 512


async def load(ingest: Ingest, folder: Path, **options: Any) -> dict[str, Any]:
    """Run the load generator of `tests.benchmarks.load` to its end; what it reports."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"acme": ingest.keys["acme"], "globex": ingest.keys["globex"]}))
    arguments = [
        part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.load", "--ingest", ingest.url, "--keys", str(keys),
        "--log", "none", "--tenants", "2", *arguments,
        cwd=CLONE, env=os.environ | {"PYTHONPATH": str(CLONE)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    others(process.pid)
    output, _ = await process.communicate()
    return dict(json.loads(output.splitlines()[-1]))


def others(pid: int) -> None:
    """Let a process use every core but the first, which is ingest's."""
    cores = list(range(psutil.cpu_count() or 1))
    psutil.Process(pid).cpu_affinity(cores[1:] or cores)


def spans_per_s(ingest: Ingest, seconds: float) -> float:
    """OTLP spans taken a second; raises where any request is not."""
    bodies = otlp_requests(64, SPANS)
    headers = {"Authorization": f"Bearer {ingest.keys['acme']}", "Content-Type": "application/x-protobuf"}

    async def run() -> float:
        began, taken, deadline = time.monotonic(), 0, time.monotonic() + seconds
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:

            async def send(first: int) -> None:
                nonlocal taken
                number = first
                while time.monotonic() < deadline:
                    answer = await client.post(
                        ingest.url + "/v1/traces", content=bodies[number % len(bodies)]
                    )
                    assert answer.status_code == 200, answer.text
                    taken += SPANS
                    number += 8

            await asyncio.gather(*map(send, range(8)))
        return taken / (time.monotonic() - began)

    return asyncio.run(run())


async def overload(ingest: Ingest, folder: Path, kafka_pid: int, seconds: float) -> dict[str, Any]:
    """Memory of the process while nobody acknowledges what keeps coming."""
    assert ingest.process is not None
    process, sizes = psutil.Process(ingest.process.pid), []
    os.kill(kafka_pid, signal.SIGSTOP)
    try:
        sending = asyncio.create_task(
            load(ingest, folder, rate="max", seconds=seconds, concurrency=64, patience=1)
        )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await asyncio.sleep(1)
            sizes.append(process.memory_info().rss / 2**20)
        said = await sending
    finally:
        os.kill(kafka_pid, signal.SIGCONT)
    tenth = max(1, len(sizes) // 10)
    second, last = median(sizes[tenth : 2 * tenth] or sizes), median(sizes[-tenth:])
    deadline = time.monotonic() + 90
    taken = 0
    while taken != 204 and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            taken = ingest.post(event("after")).status_code
        await asyncio.sleep(0.5)
    return {
        "overload_s": seconds,
        "overload_requests": (said["events"]) // 100,
        "overload_accepted": said["accepted"],
        "memory_mib": [round(sizes[0]), round(second), round(max(sizes)), round(last)],
        "memory_flat": last <= 1.1 * second,
        "taken_again": taken == 204,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--overload", type=float, default=600, help="seconds; 0 = none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as name:
        folder = Path(name)
        with Stack(folder / "stack") as stack:
            others(stack.kafka_pid)
            asyncio.run(prepare_kafka(stack.kafka, "bench."))
            database, keys = asyncio.run(prepare_postgres(stack.owner_url))
            ingest = Ingest(
                kafka=stack.kafka, database=database, prefix="bench.", log=folder / "ingest.log", keys=keys
            )
            unbound = {"SPENDMETER_KEY_EVENTS_PER_MINUTE": "1000000000"}
            ingest.start(**unbound, SPENDMETER_KEY_REQUESTS_PER_MINUTE="1000000000")
            try:
                ingest.wait_ready()
                print(json.dumps(measured(ingest, folder, stack, options)), flush=True)
            finally:
                ingest.stop(signal.SIGKILL)


def measured(ingest: Ingest, folder: Path, stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """All figures, each said as it is had."""
    assert ingest.process is not None
    process = psutil.Process(ingest.process.pid)
    process.cpu_affinity([0])
    seconds = options.seconds
    asyncio.run(load(ingest, folder, rate="max", seconds=3))
    batches = asyncio.run(load(ingest, folder, rate="max", seconds=seconds, concurrency=BATCH_CONNECTIONS))
    say("batches of 100", batches)
    single = {"request_events": 1, "concurrency": SINGLE_CONNECTIONS, "seconds": seconds}
    singles = asyncio.run(load(ingest, folder, rate="max", **single))
    say("single events", singles)
    half = asyncio.run(load(ingest, folder, rate=singles["accepted_per_s"] / 2, **single))
    say("single events, at half of that", half)
    otlp = spans_per_s(ingest, seconds)
    say("OTLP spans a second", round(otlp))
    found = {
        "events_per_s": batches["accepted_per_s"],
        "events_p99_ms": batches["p99_ms"],
        "single_per_s": singles["accepted_per_s"],
        "single_p50_ms": half["p50_ms"],
        "single_p99_ms": half["p99_ms"],
        "otlp_spans_per_s": round(otlp),
        "refused": batches["refused"] + singles["refused"] + half["refused"],
        "ingest_mib": round(process.memory_info().rss / 2**20),
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
    }
    if options.overload:
        found |= asyncio.run(overload(ingest, folder, stack.kafka_pid, options.overload))
    return found


def say(what: str, found: Any) -> None:
    print(f"{what}: {found}", flush=True)


if __name__ == "__main__":
    main()
