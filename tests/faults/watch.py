"""Both ends of the pipe, seen from outside: what the broker has, and what the book says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.flow.system import System

SETTLE_S_MAX = 90.0


@dataclass
class Watch:
    """Looks at both ends of the pipe from outside."""

    owner: asyncpg.Connection
    consumer: AIOKafkaConsumer
    admin: KafkaAdmin
    events: list[TopicPartition]
    rated: list[TopicPartition]

    async def unbooked(self) -> int:
        """Events that the broker holds and the book has not passed."""
        ends = await self.ends()
        passed = await self.owner.fetchval("SELECT coalesce(sum(next_origin), 0) FROM positions")
        return sum(ends.values()) - int(passed)

    async def ends(self) -> dict[TopicPartition, int]:
        """Where the partitions of the events end now."""
        return dict(await self.consumer.end_offsets(self.events))

    async def behind(self, ends: Mapping[int, int]) -> list[int]:
        """Partitions of which the book has not passed so much."""
        rows = await self.owner.fetch("SELECT partition, next_origin FROM positions")
        passed = dict(map(tuple, rows))
        return [partition for partition, end in ends.items() if passed.get(partition, 0) < end]

    async def open_transactions(self, service: str) -> int:
        """Of a service, those that have written and wait for their client to go on: before COMMIT."""
        return int(
            await self.owner.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spendmeter-' || $1 "
                "AND state = 'idle in transaction' AND backend_xid IS NOT NULL",
                service,
            )
        )

    async def ahead_of_kafka(self) -> int:
        """Records applied by a committed transaction that Kafka was not told of."""
        committed = await self.admin.committed("ledger")
        rows = await self.owner.fetch("SELECT partition, position FROM positions")
        positions = {TopicPartition("usage.rated", p): position for p, position in rows}
        return sum(max(0, position - committed.get(p, 0)) for p, position in positions.items())

    async def corrected(self) -> int:
        """Entries that the corrector has written."""
        return int(await self.owner.fetchval("SELECT coalesce(max(next_entry), 0) FROM corrector"))

    async def is_rerating(self) -> bool:
        """Whether a job is at work on the book."""
        jobs = "SELECT EXISTS (SELECT FROM rerate_jobs WHERE state IN ('previewing', 'applying'))"
        return bool(await self.owner.fetchval(jobs))

    async def booked(self) -> tuple[int, Decimal]:
        row = await self.owner.fetchrow(
            "SELECT count(*) FILTER (WHERE seq = 0), coalesce(sum(effective), 0) FROM entries"
        )
        assert row is not None
        return int(row[0]), Decimal(row[1])

    async def settle(self, within_s: float = SETTLE_S_MAX) -> None:
        """Wait until nothing is in flight."""
        deadline = time.monotonic() + within_s
        while unbooked := await self.unbooked():
            assert time.monotonic() < deadline, f"{unbooked} events unbooked after {within_s} s"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def watching(system: System) -> AsyncIterator[Watch]:
    owner = await system.database()
    consumer = AIOKafkaConsumer(**system.kafka.options())
    await consumer.start()
    try:
        async with KafkaAdmin(system.kafka) as admin:
            count = (await admin.topics(["usage.events"]))["usage.events"].partitions
            topics = [[TopicPartition(t, p) for p in range(count)] for t in ("usage.events", "usage.rated")]
            yield Watch(owner, consumer, admin, *topics)
    finally:
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await owner.close(timeout=2)
        await consumer.stop()
