"""What rating costs beside other pricers and other stream processors: `make bench-rating`.

Method. An Anthropic event of three units (uncached and cached input around a context cliff, output) with all
labels; quantities differ on every event. All times are CPU times of one core.

`us_per_event_median`: `rate(event, book)` with its lines, single calls, median. `times_...`: the medians of
genai_prices.calc_price and litellm.cost_per_token over the same events in the same process, divided by it
(their arguments are made beforehand). `catalog_load_s`: the shipped catalog read and made a book.
`million_...`: see bench_rating_million. `worker_us_per_event`: `python -m services.rating` with the shipped
catalog on an embedded broker, 4 partitions: CPU of its whole process while it answers a backlog, divided by the
events. `worker_times_...`: the same job on quixstreams and bytewax (see bench_rating_peers), divided by it; null =
could not be installed or run here. The last line is one JSON object.
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
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.rating.rate import RecordRater
from spendmeter.contracts.catalog import PUBLICATION_KEY, Publication, encode_catalog
from spendmeter.contracts.entry_ids import published
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.rated import Origin
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.kafka import producer, send_batches
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.stack import Stack

PARTITIONS = 4
SINGLE_CALLS = 20_000
ORACLE_CALLS = 2_000
BENCH_PYTHON = Path(".venv/bench/bin/python")
PEERS = ("quixstreams", "bytewax")
STALLED_S = 60.0
"""Without a new answer for so long, a process is given up."""


def raw_event(number: int) -> bytes:
    labels = {
        "team": f"team-{number % 20}", "project": "checkout", "feature": "assistant", "workflow": "refund",
        "workflow_version": "v2", "run": "run-81", "agent": "triage", "environment": "prod",
    }  # fmt: skip
    usage = {
        "input_tokens": 5 + number % 1000, "cache_read_tokens": 128_955 + 7 * number % 140_000, "output_tokens": 10 + number % 500,
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
    ours = _median_us(lambda event: rate(event, book), events)
    oracles = _oracles(events[:ORACLE_CALLS])
    answers = RecordRater(timedelta(days=400))
    now = datetime.now(UTC)
    began = time.process_time()
    for number, raw in enumerate(raws[:SINGLE_CALLS]):
        origin = Origin(topic="f" * 32, partition=0, offset=number)
        answers.answer(b"key", raw, origin=origin, prev=number - 1, book=book, now=now)
    print(f"an answer, from bytes to bytes: {(time.process_time() - began) / SINGLE_CALLS * 1e6:.1f} us")
    print("medians in us: ours", round(ours, 2), *(f"{name} {us:.0f}" for name, us in oracles.items()))
    return {
        "us_per_event_median": round(ours, 2),
        **{f"times_{name}": round(us / ours, 1) for name, us in oracles.items()},
        "catalog_load_s": round(load_s, 3),
    }


def _median_us(call: Callable[[Any], Any], arguments: list[Any]) -> float:
    clock = time.thread_time_ns
    took, nothing = [], []
    for argument in arguments:
        start = clock()
        call(argument)
        end = clock()
        took.append(end - start)
        nothing.append(clock() - end)
    return (statistics.median(took) - statistics.median(nothing)) / 1000


def _oracles(events: list[UsageEvent]) -> dict[str, float]:
    """Microseconds of one call of each."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from genai_prices import calc_price
    from litellm import cost_per_token

    from tests.pricing.parity import inclusive

    usages = [(inclusive(event.data.usage), event.time) for event in events]
    prompts = [(event.data.usage["input_tokens"], event.data.usage) for event in events]

    def genai(argument: tuple[Any, Any]) -> None:
        usage, at = argument
        calc_price(usage, "claude-sonnet-4-5", provider_id="anthropic", genai_request_timestamp=at)

    def litellm(argument: tuple[int, dict[str, int]]) -> None:
        uncached, usage = argument
        cost_per_token(
            model="claude-sonnet-4-5",
            prompt_tokens=uncached + usage["cache_read_tokens"],
            completion_tokens=usage["output_tokens"],
            cache_read_input_tokens=usage["cache_read_tokens"],
        )

    genai(usages[0])
    litellm(prompts[0])
    return {"genai_prices": _median_us(genai, usages), "litellm": _median_us(litellm, prompts)}


def bench_million() -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_rating_million"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures = json.loads(done.stdout)
    print(f"a model seen for the first time takes {figures['first']} times as long in the large book")
    return {"million_entries_mib": figures["mib"], "million_entries_slowdown": figures["slowdown"]}


async def bench_workers(stack: Stack, raws: list[bytes]) -> dict[str, float | None]:
    ours = await _measured(stack, "bench.", [sys.executable, "-m", "services.rating"], raws)
    assert ours is not None, "the rating worker did not answer"
    figures: dict[str, float | None] = {"worker_us_per_event": round(ours, 1)}
    for peer in PEERS:
        command = [
            str(BENCH_PYTHON),
            "-m",
            "tests.benchmarks.bench_rating_peers",
            peer,
            f"{peer}.",
        ]
        theirs = await _measured(stack, f"{peer}.", command, raws) if BENCH_PYTHON.exists() else None
        says = "could not be installed or run: null" if theirs is None else f"{theirs:.1f} us an event"
        print(f"{peer}: {says}")
        figures[f"worker_times_{peer}"] = None if theirs is None else round(theirs / ours, 2)
    return figures


async def _measured(stack: Stack, prefix: str, command: list[str], raws: list[bytes]) -> float | None:
    """Microseconds of the command's CPU for one of the events, which it finds on its own topics."""
    settings = Settings(kafka=stack.kafka, topic_prefix=prefix, partitions=PARTITIONS)
    async with KafkaAdmin(stack.kafka) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix=prefix, partitions=PARTITIONS)
    sender, reader = producer(settings, service="bench"), AIOKafkaConsumer(**stack.kafka.options())
    await sender.start()
    await reader.start()
    try:
        await _publish(sender, f"{prefix}catalog")
        worker = subprocess.Popen(
            command,
            env=os.environ
            | {
                **stack.kafka.environment(),
                "SPENDMETER_TOPIC_PREFIX": prefix,
                "SPENDMETER_PORT": "0",
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            return await _cpu(sender, reader, psutil.Process(worker.pid), prefix, raws)
        finally:
            worker.terminate()
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
    finally:
        await sender.stop()
        await reader.stop()


async def _publish(sender: Any, topic: str) -> None:
    entries = [published(entry, 1) for entry in load_snapshot()]
    records = [(entry.id.encode(), encode_catalog(entry), []) for entry in entries]
    marker = Publication(version=1, entries=len(entries), published_at=datetime.now(UTC))
    records.append((PUBLICATION_KEY, encode_catalog(marker), []))
    await asyncio.gather(*await send_batches(sender, topic, 0, records))


async def _cpu(
    sender: Any, reader: AIOKafkaConsumer, worker: psutil.Process, prefix: str, raws: list[bytes]
) -> float | None:
    partitions = [TopicPartition(f"{prefix}usage.rated", partition) for partition in range(PARTITIONS)]

    async def answer(part: list[bytes], count: int) -> bool:
        """Send these, and wait until there are so many answers; False = they stopped coming."""
        futures = []
        for partition in range(PARTITIONS):
            records = [(b"k" * 16, raw, []) for raw in part[partition::PARTITIONS]]
            futures += await send_batches(sender, f"{prefix}usage.events", partition, records)
        await asyncio.gather(*futures)
        before, since = -1, time.monotonic()
        while (now := sum((await reader.end_offsets(partitions)).values())) < count:
            if now > before:
                before, since = now, time.monotonic()
            if not worker.is_running() or time.monotonic() - since > STALLED_S:
                return False
            await asyncio.sleep(0.05)
        return True

    warm = len(raws) // 10
    if not await answer(raws[:warm], warm):
        return None
    cpu = worker.cpu_times()
    if not await answer(raws[warm:], len(raws)):
        return None
    after = worker.cpu_times()
    return (after.user + after.system - cpu.user - cpu.system) / (len(raws) - warm) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    print(__doc__)
    raws = [raw_event(number) for number in range(options.events)]
    figures: dict[str, Any] = bench_core(raws) | bench_million()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        figures |= asyncio.run(bench_workers(stack, raws))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
