"""A topic prefix of its own for each test, and ways to write to and read from the topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.rating.worker import Rater
from spendmeter.contracts.catalog import PUBLICATION_KEY, CatalogEntry, Publication, encode_catalog
from spendmeter.contracts.entry_ids import published
from spendmeter.contracts.rated import PassedHoles, RatedUsage, RejectedUsage, decode_rated
from spendmeter.contracts.topics import TOPICS, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from tests.waiting import WITHIN_S

PARTITIONS = 2


def raw_event(number: int, **changes: Any) -> bytes:
    """A usage event of 1,000 input tokens of gpt-4o: 0.0025 USD."""
    event = {
        "specversion": "1.0",
        "type": "spendmeter.usage.v1",
        "id": f"event-{number}",
        "source": "tests",
        "subject": "acme/tests",
        "time": datetime.now(UTC).isoformat(),
        "tenant": "acme",
        "data": {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 1000}},
    }
    return msgspec.json.encode(event | changes)


@dataclass(frozen=True)
class System:
    """The topics of one test, on the session's broker."""

    settings: Settings
    producer: AIOKafkaProducer

    def name(self, topic: str) -> str:
        return self.settings.topic_prefix + topic

    async def publish(
        self, entries: Sequence[CatalogEntry], version: int, *, total: int | None = None
    ) -> None:
        """Entries and their marker, which counts `total` entries."""
        for entry in entries:
            await self.producer.send(
                self.name("catalog"), encode_catalog(published(entry, version)), key=entry.id.encode()
            )
        await self.mark(version, len(entries) if total is None else total)

    async def mark(self, version: int, total: int) -> None:
        marker = Publication(version=version, entries=total, published_at=datetime.now(UTC))
        await self.producer.send_and_wait(self.name("catalog"), encode_catalog(marker), key=PUBLICATION_KEY)

    async def use(self, values: Iterable[bytes | None], partition: int = 0) -> None:
        """Put records on usage.events."""
        sent = [
            await self.producer.send(self.name(USAGE_EVENTS.name), value, key=b"key", partition=partition)
            for value in values
        ]
        await asyncio.gather(*sent)

    async def answers(
        self, count: int, partition: int | None = None, *, distinct: bool = False
    ) -> list[RatedUsage | RejectedUsage | PassedHoles]:
        """The first answers on usage.rated, of one partition or of all, until there are `count` (to
        `distinct` offsets)."""
        consumer = AIOKafkaConsumer(**self.settings.kafka.options())
        async with consumer:
            partitions = range(PARTITIONS) if partition is None else [partition]
            consumer.assign([TopicPartition(self.name(USAGE_RATED.name), number) for number in partitions])
            await consumer.seek_to_beginning()
            found: list[RatedUsage | RejectedUsage | PassedHoles] = []
            async with asyncio.timeout(WITHIN_S):
                origins: set[tuple[int, int]] = set()
                while (len(origins) if distinct else len(found)) < count:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        for record in records:
                            answer = decode_rated(record.value or b"")
                            assert answer.origin.partition == record.partition
                            found.append(answer)
                            origins.add((record.partition, answer.origin.offset))
            return found


@asynccontextmanager
async def new_system(kafka_access: KafkaAccess) -> AsyncIterator[System]:
    """Topics that nobody else uses."""
    settings = Settings(kafka=kafka_access, topic_prefix=f"t{uuid4().hex[:8]}.", partitions=PARTITIONS)
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics(
            list(TOPICS.values()), prefix=settings.topic_prefix, partitions=settings.partitions
        )
    async with AIOKafkaProducer(**kafka_access.options(), linger_ms=5) as producer:
        yield System(settings=settings, producer=producer)


@pytest.fixture
async def system(kafka_access: KafkaAccess) -> AsyncIterator[System]:
    async with new_system(kafka_access) as made:
        yield made


@asynccontextmanager
async def rating(settings: Settings) -> AsyncIterator[Rater]:
    """A rater that runs inside the test, and ends in order."""
    rater = Rater(settings)
    stop = asyncio.Event()
    running = asyncio.create_task(rater.run(stop))
    try:
        yield rater
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running
