"""The line: reads `usage.corrections` in order, and works what it says off, batch by batch.

The position that counts is the one in Postgres. Kafka's committed offset follows it and is read by people
alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError

from services.corrector.apply import Applied, Applier
from services.corrector.catalog_wait import CatalogWait
from services.corrector.fence import Overtaken, Standing, read_standing
from services.corrector.intake import take_in
from services.corrector.one_topic import (
    LOOK_S,
    POLL_MS,
    REPLACED,
    STEP_AGE_S_MAX,
    lost_before,
    lost_with,
    topic_id,
)
from services.corrector.rerates import Rerates
from services.corrector.true_ups.keeper import TrueUpKeeper
from spendmeter.book.changed import ChangedDays, day_of
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.retry import passes, retrying
from spendmeter.platform.telemetry import Meters, log

BATCH_MAX = 500
DONE = "applied"
RAISES_MAX = 10
"""Transactions for conflicts at one look."""
TRUE_UPS_S = 5.0
"""So often it is asked whose periods are to be worked out, unless more are known to be."""


@dataclass(kw_only=True, eq=False)
class CorrectionLine(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Corrects for as long as `run` runs and the group gives it the topic; of several one does, and the
    others stand by. `stopped` says what was lost of the topic."""

    log: TopicPartition
    consumer: AIOKafkaConsumer
    admin: KafkaAdmin
    pool: asyncpg.Pool[asyncpg.Record]
    applier: Applier
    rerates: Rerates
    true_ups: TrueUpKeeper
    catalog: CatalogWait
    changed: ChangedDays
    meters: Meters
    stopped: str = ""

    def __post_init__(self) -> None:
        self.worked = Heartbeat("corrections were looked for", STEP_AGE_S_MAX)
        self._standing: Standing | None = None
        """None = to be read, and the consumer to be put there."""
        self._topic = ""
        """The id of the topic that was worked at here; '' = none yet."""
        self._looked = 0.0
        self._knows_catalog = False
        """Whether the database was seen to have all that is published."""
        self._has_more = False
        """Whether a job has more to do just now."""
        self._next_true_ups = 0.0

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
        self._standing, self._has_more = None, False
        if isinstance(error, Overtaken):
            log().info("another corrector was at work: looking again where it stands")
            return True
        return passes(error) or isinstance(error, REPLACED)

    async def _step(self) -> None:
        """Poll, decide, write; at first, and after trouble, from where the corrector stands."""
        if self.log not in self.consumer.assignment():
            await self._stand_by()
            return
        if self._standing is None:
            self._standing = await self._open()
        if not (self.stopped or self._knows_catalog or await self._has_catalog(self._standing)):
            return
        if not self.stopped:
            await self._look(self._standing)
        if self.stopped:
            return
        wait_ms = 0 if self._has_more else POLL_MS
        polled = await self.consumer.getmany(self.log, timeout_ms=wait_ms, max_records=BATCH_MAX)
        if records := [(record.offset, record.value) for record in polled.get(self.log, [])]:
            await self._take(records)
        if self._standing is not None:
            async with self.pool.acquire() as connection, self.pool.acquire() as beside:
                standing, self._has_more = await self.rerates.step(connection, self._standing, beside)
            self._standing = self._standing and standing

    async def _has_catalog(self, standing: Standing) -> bool:
        """Whether the database has all that is published. Where it has not, the group hears of us meanwhile,
        and nothing is taken."""
        async with self.pool.acquire() as connection:
            self._knows_catalog = await self.catalog.is_over(connection)
        if self._knows_catalog:
            self.consumer.resume(self.log)
            self.consumer.seek(self.log, standing.position)
        else:
            self.consumer.pause(self.log)
            await self.consumer.getmany(self.log, timeout_ms=POLL_MS, max_records=1)
        return self._knows_catalog

    async def _stand_by(self) -> None:
        """Somebody else has the topic; or nobody, for it was deleted, and the group hears of another one of
        that name when it asks for metadata again, which is seldom."""
        await asyncio.sleep(POLL_MS / 1000)
        if self._topic and time.monotonic() - self._looked >= LOOK_S:
            if other := await self._other_topic():
                async with self.pool.acquire() as connection:
                    standing = await read_standing(connection, other)
                self.stopped = lost_with(self.log, standing.topic, other, standing.position, done=DONE)
            self._looked = time.monotonic()

    async def _other_topic(self) -> str:
        """The id of another topic that has the name by now; '' = it is the same, or has no leader just now,
        which is no loss."""
        found = await topic_id(self.admin, self.log)
        return found if found is not None and found != self._topic else ""

    async def _open(self) -> Standing:
        topic = await topic_id(self.admin, self.log)
        if topic is None:
            raise LeaderNotAvailableError
        async with self.pool.acquire() as connection:
            standing = await read_standing(connection, topic)
        self._topic, self._knows_catalog = standing.topic, False
        position = standing.position
        self.stopped = await lost_before(self.consumer, self.log, standing.topic, topic, position, done=DONE)
        self.consumer.seek(self.log, position)
        return standing

    async def _look(self, standing: Standing) -> None:
        """Once a second: is it still the same topic? And is there by now what corrections wait for?"""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        if other := await self._other_topic():
            self.stopped = lost_with(self.log, standing.topic, other, standing.position, done=DONE)
        else:
            await self._look_again(standing)
            await self._true_up()
        self._looked = now

    async def _true_up(self) -> None:
        """Work out the periods of one tenant, where it is time."""
        if self._standing is None or time.monotonic() < self._next_true_ups:
            return
        async with self.pool.acquire() as connection:
            kept = await self.true_ups.look(connection, self._standing, datetime.now(UTC))
        self._standing = self._standing and kept.standing
        self._next_true_ups = time.monotonic() + (0 if kept.more else TRUE_UPS_S)
        self.meters.add("spendmeter.corrector.true_ups", kept.booked)
        self.changed.add(kept.changed)

    async def _take(self, records: Sequence[tuple[int, bytes | None]]) -> None:
        """Work off what has come; where several correct one event, one after the other."""
        while self._standing is not None and self._standing.position <= records[-1][0]:
            intake = take_in(self._standing.position, records)
            async with self.pool.acquire() as connection:
                self._note(await self.applier.take(connection, self._standing, intake))
        if self._standing is not None:
            with contextlib.suppress(KafkaError):
                await self.consumer.commit({self.log: self._standing.position})

    async def _look_again(self, standing: Standing) -> None:
        async with self.pool.acquire() as connection:
            self._note(await self.applier.look_again(connection, standing))
            for _ in range(RAISES_MAX):
                if self._standing is None:
                    return
                self._note(applied := await self.applier.raise_booked(connection, self._standing))
                if not applied.more:
                    return

    def _note(self, applied: Applied) -> None:
        """What is committed: where we stand, and what others are told."""
        self._standing = applied.standing
        for outcome, count in applied.outcomes.items():
            self.meters.add("spendmeter.corrector.corrections", count, outcome=outcome)
        self.changed.add(day_of(change.entry.tenant, change.entry.occurred_at) for change in applied.changes)
