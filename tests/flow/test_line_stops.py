"""What is lost stops its line and is named; the other partitions go on. On a system of its own, for it breaks it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.flow.book import settled
from tests.flow.system import System, usage_event
from tests.flow.test_flow import stamped

NAMED_WITHIN_S = 30


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("lines") / "home") as running:
        yield running


@pytest.fixture
async def owner(broken: System) -> AsyncIterator[asyncpg.Connection]:
    connection = await broken.database()
    yield connection
    await connection.close()


@pytest.fixture
async def raw(broken: System) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(**broken.kafka.options()) as producer:
        yield producer


async def put(raw: AIOKafkaProducer, source: str, partition: int, count: int) -> None:
    for number in range(count):
        event = stamped(usage_event(f"{time.monotonic_ns()}-{number}", source=source))
        await raw.send(USAGE_EVENTS.name, event, partition=partition)
    await raw.flush()


async def delete_all(system: System, topic: str, partition: int) -> int:
    """Delete every record of a partition; its new beginning."""
    admin = AIOKafkaAdminClient(**system.kafka.options())
    await admin.start()
    try:
        deleted = await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(-1)})
        return int(deleted[TopicPartition(topic, partition)])
    finally:
        await admin.close()


async def log_end(system: System, topic: str, partition: int) -> int:
    async with AIOKafkaConsumer(**system.kafka.options()) as consumer:
        at = TopicPartition(topic, partition)
        return int((await consumer.end_offsets([at]))[at])


async def reached(system: System, topic: str, partition: int, end: int) -> None:
    """Wait until so much lies on a topic, which another service may have to write first."""
    async with asyncio.timeout(NAMED_WITHIN_S):
        while await log_end(system, topic, partition) < end:
            await asyncio.sleep(0.1)


async def reason(owner: asyncpg.Connection, partition: int) -> str:
    deadline = time.monotonic() + NAMED_WITHIN_S
    while not (said := await owner.fetchval("SELECT stopped FROM log_ends WHERE partition = $1", partition)):
        assert time.monotonic() < deadline, f"partition {partition} does not say why it stands still"
        await asyncio.sleep(0.1)
    return str(said)


@pytest.mark.parametrize(("service", "partition"), [("rating", 0), ("ledger", 2)])
async def test_records_deleted_before_they_were_read_stop_their_line_alone(
    broken: System, raw: AIOKafkaProducer, owner: asyncpg.Connection, service: str, partition: int
) -> None:
    for every in range(4):
        if not (service == "ledger" and every == 0):
            await put(raw, f"before-{service}", every, 5)
    await settled(owner, f"before-{service}", 20 if service == "rating" else 15)
    process = broken.process(service).identity.process()
    assert process is not None
    topic = {"rating": "usage.events", "ledger": "usage.rated"}[service]
    process.suspend()
    try:
        start = await log_end(broken, topic, partition)
        await put(raw, f"lost-{service}", partition, 3)
        await reached(broken, topic, partition, start + 3)
        await asyncio.sleep(0.5)  # a fetch that was under way answers with these: they are not lost
        await put(raw, f"lost-{service}", partition, 50)
        await reached(broken, topic, partition, start + 53)
        begin = await delete_all(broken, topic, partition)
    finally:
        process.resume()
    said = await reason(owner, partition)
    assert re.search(rf"\[\d+, {begin}\)", said), said
    assert "deleted" in said
    assert topic in said
    await put(raw, f"after-{service}", 1, 5)
    await settled(owner, f"after-{service}", 5)
    answer = httpx.get(f"http://127.0.0.1:{broken.process('ledger').port}/ready")
    assert answer.status_code == 503
    assert said in answer.json()["detail"]


async def test_a_topic_created_anew_stops_every_line(
    broken: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    admin = AIOKafkaAdminClient(**broken.kafka.options())
    await admin.start()
    await admin.delete_topics([USAGE_EVENTS.name])
    await admin.close()
    async with KafkaAdmin(broken.kafka) as creator:
        while await creator.topics([USAGE_EVENTS.name]):
            await asyncio.sleep(0.1)
        await creator.ensure_topics([USAGE_EVENTS], prefix="", partitions=broken.partitions)
    for partition in (1, 3):
        said = await reason(owner, partition)
        assert "created anew" in said
        assert re.search(rf"partition {partition}\b.*offset \d+", said), said


async def test_verify_names_the_lines_that_stand_still(broken: System) -> None:
    done = broken.cli("verify", "--json", "--settle", "0", check=False)
    assert done.returncode == 1, done.stderr
    named = json.dumps(json.loads(done.stdout)["invariants"]["I6"]["named"])
    assert "stands still" in named
    assert "created anew" in named
