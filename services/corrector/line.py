"""The line: reads `usage.corrections` in order, and works what it says off, batch by batch.

The position that counts is the one in Postgres. Kafka's committed offset follows it and is read by people
alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    LeaderNotAvailableError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from msgspec import UNSET

from services.corrector.fence import Overtaken, Standing, move, read_standing
from services.corrector.intake import Intake, take_in
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.log_fit import created_anew, misfit
from spendmeter.platform.retry import passes, retrying
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("sql") / "corrections.sql")
BATCH_MAX = 500
POLL_MS = 500
LOOK_S = 1.0
STEP_AGE_S_MAX = 10.0
"""A step polls for half a second and writes for some tenths: longer is worth telling."""
_REPLACED = (IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError)
"""What a poll says while the group hands the topic on: we look again where the corrector stands."""


@dataclass(kw_only=True, eq=False)
class CorrectionLine(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Corrects for as long as `run` runs and the group gives it the topic; of several one does, and the
    others stand by. `stopped` says what was lost of the topic."""

    log: TopicPartition
    events: str
    """The name of `usage.events`."""
    consumer: AIOKafkaConsumer
    logs: AIOKafkaConsumer
    admin: KafkaAdmin
    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    stopped: str = ""

    def __post_init__(self) -> None:
        self.worked = Heartbeat("corrections were looked for", STEP_AGE_S_MAX)
        self._standing: Standing | None = None
        """None = to be read, and the consumer to be put there."""
        self._looked = 0.0

    async def run(self) -> None:
        """Correct until something is found to be lost, or for good."""
        self.consumer.subscribe([self.log.topic], listener=self)
        while not self.stopped:
            async for attempt in retrying("correcting is interrupted", away=self._passes, beat=self.worked):
                with attempt:
                    await self._step()
            self.worked.beat()
        self.meters.set("spendmeter.line.stopped", 1, service="corrector")
        log().error("line stopped: records are lost", reason=self.stopped)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What is under way may end: who comes after us moves the same row of Postgres."""
        self._standing = None

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The next step looks where the corrector stands."""
        self._standing = None

    def _passes(self, error: Exception) -> bool:
        self._standing = None
        if isinstance(error, Overtaken):
            log().info("another corrector was at work: looking again where it stands")
            return True
        return passes(error) or isinstance(error, _REPLACED)

    async def _step(self) -> None:
        """Poll, decide, write; at first, and after trouble, from where the corrector stands."""
        if self.log not in self.consumer.assignment():
            await asyncio.sleep(POLL_MS / 1000)
            return
        if self._standing is None:
            self._standing = await self._open()
        if self.stopped or await self._is_anew(self._standing):
            return
        polled = await self.consumer.getmany(self.log, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        records = [(record.offset, record.value) for record in polled.get(self.log, [])]
        if records and self._standing is not None:
            self._standing = await self._take(self._standing, take_in(self._standing.position, records))
            with contextlib.suppress(KafkaError):
                await self.consumer.commit({self.log: self._standing.position})

    async def _open(self) -> Standing:
        facts = (await self.admin.topics([self.log.topic])).get(self.log.topic)
        if facts is None:
            raise LeaderNotAvailableError
        async with self.pool.acquire() as connection:
            standing = await read_standing(connection, facts.id)
        begins = await self.consumer.beginning_offsets([self.log])
        ends = await self.consumer.end_offsets([self.log])
        position = standing.position
        self.stopped = created_anew(self.log, standing.topic, facts.id, _unread(standing)) or misfit(
            self.log, position, begins[self.log], ends[self.log], done="applied"
        )
        self.consumer.seek(self.log, position)
        return standing

    async def _is_anew(self, standing: Standing) -> bool:
        """Whether the topic is another one by now, which stops the line; asked once a second."""
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            facts = (await self.admin.topics([self.log.topic])).get(self.log.topic)
            if facts is not None:  # without a leader just now: no loss
                self.stopped = created_anew(self.log, standing.topic, facts.id, _unread(standing))
            self._looked = now
        return bool(self.stopped)

    async def _take(self, standing: Standing, intake: Intake) -> Standing:
        """Accept what has come."""
        ends = await self._log_ends()
        new = {correction.id: correction for correction in reversed(intake.corrections)}
        async with self.pool.acquire() as connection:
            for (known,) in await connection.fetch(SQL["known"], list(new)):
                del new[known]
            async with connection.transaction():
                after = await move(
                    connection,
                    standing,
                    position=intake.position,
                    accepted=len(new),
                    repeated=len(intake.corrections) - len(new),
                    strays=intake.strays,
                )
                rows = [_accepted(correction, ends) for correction in new.values()]
                await connection.executemany(SQL["accept"], rows)
        return after

    async def _log_ends(self) -> list[int]:
        """Where each partition of `usage.events` ends now."""
        facts = (await self.admin.topics([self.events])).get(self.events)
        if facts is None:
            raise LeaderNotAvailableError
        partitions = [TopicPartition(self.events, number) for number in range(facts.partitions)]
        ends = await self.logs.end_offsets(partitions)
        return [ends[partition] for partition in partitions]


def _accepted(correction: EventCorrection, log_ends: list[int]) -> tuple[Any, ...]:
    patch = None if correction.patch is UNSET else str(correction.patch, "utf-8")
    return (
        correction.id, correction.tenant, correction.identity, correction.source, correction.event_id,
        correction.kind, correction.revision, patch, correction.reason, correction.by, correction.at,
        log_ends,
    )  # fmt: skip


def _unread(standing: Standing) -> str:
    return f"everything from offset {standing.position} on was never applied"
