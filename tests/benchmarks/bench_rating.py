"""What rating costs: the engine, one answer, and the worker's whole process on a real broker.

Method: an Anthropic event of three units (uncached and cached input under a context cliff, output) with all
labels; quantities differ on every event. `engine`: `rate(event, book)` with its lines, median of single calls
on the thread's CPU clock, and `answer`: from the record's bytes to the answer's (decode, check, hash, price,
encode), mean. `worker`: `python -m services.rating` with the shipped catalog on an embedded broker, 4 partitions;
CPU of its process while it answers a backlog, divided by the events. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil

from deploy.local.stack import Stack
from services.rating.rate import Answers
from spendmeter.contracts.catalog import PUBLICATION_KEY, Publication, encode_catalog, published
from spendmeter.contracts.events import read_event
from spendmeter.contracts.rated import Origin
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.kafka import producer, send_batches
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook

PARTITIONS = 4
SINGLE_CALLS = 20_000


def raw_event(number: int) -> bytes:
    labels = {
        "team": f"team-{number % 20}", "project": "checkout", "feature": "assistant", "workflow": "refund",
        "workflow_version": "v2", "run": "run-81", "agent": "triage", "environment": "prod",
    }  # fmt: skip
    usage = {
        "input_tokens": 5 + number % 1000, "cache_read_tokens": 128_955 + number, "output_tokens": 10 + number % 500,
    }  # fmt: skip
    return msgspec.json.encode(
        {
            "specversion": "1.0", "type": "spendmeter.usage.v1", "id": f"01J-{number:09}", "source": "checkout-bot",
            "subject": "acme/checkout", "time": datetime.now(UTC), "tenant": "acme", "keyid": "k_7f3a",
            "receivedat": datetime.now(UTC),
            "data": {
                "cost_class": "model", "provider": "anthropic", "sku": "claude-sonnet-4-5", "usage": usage,
                "context": {"service_tier": "standard", "region": "us"}, "labels": labels,
                "performance": {"latency_ms": 830, "status": "ok"},
            },
        }
    )  # fmt: skip


def bench_core(raws: list[bytes]) -> dict[str, float]:
    began = time.process_time()
    book = PriceBook(load_snapshot(), version=1)
    load_s = time.process_time() - began
    events = [read_event(raw) for raw in raws[:SINGLE_CALLS]]
    clock = time.thread_time_ns
    took = []
    for event in events:
        start = clock()
        rate(event, book)
        took.append(clock() - start)
    nothing = statistics.median(_intervals(clock))
    answers = Answers(timedelta(days=400))
    now = datetime.now(UTC)
    began = time.process_time()
    for number, raw in enumerate(raws[:SINGLE_CALLS]):
        origin = Origin(topic="f" * 32, partition=0, offset=number)
        answers.answer(b"key", raw, origin=origin, prev=number - 1, book=book, now=now)
    return {
        "catalog_load_s": round(load_s, 3),
        "engine_us_per_event_median": round((statistics.median(took) - nothing) / 1000, 2),
        "answer_us_per_event": round((time.process_time() - began) / SINGLE_CALLS * 1e6, 2),
    }


def _intervals(clock: Callable[[], int]) -> list[int]:
    return [-(clock() - clock()) for _ in range(SINGLE_CALLS)]


async def bench_worker(stack: Stack, raws: list[bytes]) -> dict[str, Any]:
    settings = Settings(kafka_bootstrap_servers=stack.kafka, topic_prefix="bench.", partitions=PARTITIONS)
    async with KafkaAdmin(stack.kafka) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix="bench.", partitions=PARTITIONS)
        sender = producer(settings, service="bench")
        await sender.start()
        try:
            await _publish(sender)
            worker = subprocess.Popen(
                [sys.executable, "-m", "services.rating"],
                env=os.environ
                | {
                    "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
                    "SPENDMETER_TOPIC_PREFIX": "bench.",
                    "SPENDMETER_PORT": "0",
                },
                stdout=subprocess.DEVNULL,
            )
            try:
                return await _measure(admin, sender, psutil.Process(worker.pid), raws)
            finally:
                worker.terminate()
                worker.wait(15)
        finally:
            await sender.stop()


async def _publish(sender: Any) -> None:
    entries = [published(entry, 1) for entry in load_snapshot()]
    records = [(entry.id.encode(), encode_catalog(entry), []) for entry in entries]
    marker = Publication(version=1, entries=len(entries), published_at=datetime.now(UTC))
    records.append((PUBLICATION_KEY, encode_catalog(marker), []))
    await asyncio.gather(*await send_batches(sender, "bench.catalog", 0, records))


async def _measure(
    admin: KafkaAdmin, sender: Any, worker: psutil.Process, raws: list[bytes]
) -> dict[str, Any]:
    async def send(part: list[bytes]) -> None:
        futures = []
        for partition in range(PARTITIONS):
            records = [(b"k" * 16, raw, []) for raw in part[partition::PARTITIONS]]
            futures += await send_batches(sender, "bench.usage.events", partition, records)
        await asyncio.gather(*futures)

    async def answered(count: int) -> None:
        while sum((await admin.committed("bench.rating")).values()) < count:
            await asyncio.sleep(0.05)

    warm = len(raws) // 10
    await send(raws[:warm])
    await answered(warm)
    cpu, began = worker.cpu_times(), time.monotonic()
    await send(raws[warm:])
    await answered(len(raws))
    took, after, count = time.monotonic() - began, worker.cpu_times(), len(raws) - warm
    cpu_s = after.user + after.system - cpu.user - cpu.system
    return {
        "worker_us_per_event": round(cpu_s / count * 1e6, 1),
        "worker_events_per_s": round(count / took),
        "worker_mib": round(worker.memory_info().rss / 2**20),
        "events": count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    raws = [raw_event(number) for number in range(options.events)]
    figures: dict[str, Any] = bench_core(raws)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        figures |= asyncio.run(bench_worker(stack, raws))
    print(__doc__)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
