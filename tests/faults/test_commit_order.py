"""I7 while it matters: Kafka may be told of a booking only after Postgres has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition

from spendmeter.contracts.topics import USAGE_RATED
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.ledger.conftest import database, owner  # noqa: F401 - fixtures
from tests.ledger.test_worker import System

SEVERAL_COMMIT_INTERVALS_S = 2.0


@pytest.fixture
async def ledgers(
    kafka_access: KafkaAccess,
    database: str,  # noqa: F811
    owner: asyncpg.Connection,  # noqa: F811
    tmp_path: Path,
) -> AsyncIterator[System]:
    running = System(kafka_access, database, owner, f"t{uuid4().hex[:8]}.", tmp_path / "ledger.log")
    await running.start()
    yield running
    await running.close()


async def committed(system: System) -> int:
    async with KafkaAdmin(system.kafka) as admin:
        offsets = await admin.committed(system.prefix + "ledger")
    return offsets.get(TopicPartition(system.topic(USAGE_RATED.name), 0), 0)


async def test_kafka_is_not_told_of_what_postgres_does_not_hold(ledgers: System) -> None:
    await ledgers.events(50)
    await ledgers.rate(ledgers.rated(10))
    await ledgers.ledger()
    await ledgers.until_booked(10)
    blocker = await asyncpg.connect(ledgers.database)
    try:
        async with blocker.transaction():  # nobody can book while this holds the position
            await blocker.execute("SELECT FROM positions FOR UPDATE")
            await ledgers.rate(ledgers.rated(40, start=10))
            await asyncio.sleep(SEVERAL_COMMIT_INTERVALS_S)
            assert await ledgers.booked() == 10
            assert await committed(ledgers) == 10
    finally:
        await blocker.close()
    await ledgers.until_booked(50)
