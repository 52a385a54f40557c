"""The line of outcomes: reads `usage.outcomes` in order and keeps what it says.

The position that counts is the one in Postgres. Kafka's committed offset follows it, for people to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError

from services.corrector.one_topic import (
    LOOK_S,
    POLL_MS,
    REPLACED,
    STEP_AGE_S_MAX,
    lost_before,
    lost_with,
    topic_id,
)
from services.corrector.outcomes.intake import collect
from services.corrector.outcomes.keep import OutcomePosition, OutcomesMoved, keep, read_position
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.retry import passes, retrying
from spendmeter.platform.telemetry import Meters, log

BATCH_MAX = 2_000
DONE = "kept"


@dataclass(kw_only=True, eq=False)
class OutcomeLine(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Keeps outcomes for as long as `run` runs and the group gives it the topic; of several one does, and the
    others stand by. `stopped` says what was lost of the topic."""

    log: TopicPartition
    consumer: AIOKafkaConsumer
    admin: KafkaAdmin
    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    stopped: str = ""

    def __post_init__(self) -> None:
        self.worked = Heartbeat("outcomes were looked for", STEP_AGE_S_MAX)
        self._position: OutcomePosition | None = None
        """None = to be read, and the consumer to be put there."""
        self._looked = 0.0

    async def run(self) -> None:
        """Keep outcomes until something is found to be lost, or for good."""
        self.consumer.subscribe([self.log.topic], listener=self)
        while not self.stopped:
            async for attempt in retrying(
                "keeping outcomes is interrupted", away=self._passes, beat=self.worked
            ):
                with attempt:
                    await self._step()
            self.worked.beat()
        self.meters.set("spendmeter.line.stopped", 1, service="outcomes")
        log().error("line stopped: outcomes are lost", reason=self.stopped)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What is under way may end: who comes after us moves the same row of Postgres."""
        self._position = None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The next step looks where outcomes stand."""
        self._position = None

    def _passes(self, error: Exception) -> bool:
        self._position = None
        return passes(error) or isinstance(error, (OutcomesMoved, *REPLACED))

    async def _step(self) -> None:
        """Poll and keep; at first, and after trouble, from where outcomes stand."""
        if self.log not in self.consumer.assignment():
            await asyncio.sleep(POLL_MS / 1000)  # somebody else has the topic
            return
        if self._position is None:
            self._position = await self._open()
        elif time.monotonic() - self._looked >= LOOK_S:
            await self._look(self._position)
        if self.stopped:
            return
        polled = await self.consumer.getmany(self.log, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        records = [(record.offset, record.value) for record in polled.get(self.log, [])]
        if records and self._position is not None:
            await self._keep(self._position, records)

    async def _keep(self, sought: OutcomePosition, records: list[tuple[int, bytes | None]]) -> None:
        batch = collect(sought.position, records)
        async with self.pool.acquire() as connection:
            after, counts = await keep(connection, sought, batch)
        self._position = after
        for fate, count in counts.items():
            if count:
                self.meters.add("spendmeter.corrector.outcomes", count, outcome=fate)
        with contextlib.suppress(KafkaError):
            await self.consumer.commit({self.log: after.position})

    async def _open(self) -> OutcomePosition:
        topic = await topic_id(self.admin, self.log)
        if topic is None:
            raise LeaderNotAvailableError
        async with self.pool.acquire() as connection:
            position = await read_position(connection, topic)
        self.stopped = await lost_before(
            self.consumer, self.log, position.topic, topic, position.position, done=DONE
        )
        self.consumer.seek(self.log, position.position)
        return position

    async def _look(self, position: OutcomePosition) -> None:
        """Once a second: is it still the same topic?"""
        topic = await topic_id(self.admin, self.log) or position.topic
        self.stopped = lost_with(self.log, position.topic, topic, position.position, done=DONE)
        self._looked = time.monotonic()
