"""Watches the logs that the lanes read: how far they reach, and whether anything in them was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.ledger.lane import Lane, never_applied
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.log_fit import created_anew
from spendmeter.platform.retry import TIMEOUTS_MAX, keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "watch.sql")
INTERVAL_S = 1.0
LOOK_AGE_S_MAX = 5.0
"""A look takes milliseconds and is begun once a second."""
MEASURED_S_MAX = 3.0
"""What is in flight is unknown once it was measured longer ago: an old figure would look like a new one."""


def loss(
    *, lane: str, next_origin: int, position: int, rating_committed: int, events_begin: int, rated_end: int
) -> str:
    """What will never arrive; '' = nothing.

    Rating commits past a record only after its answer was acknowledged, and the callers read
    `rating_committed` and `events_begin` before `rated_end`: so once the book has applied all of usage.rated
    and still waits for an offset that rating is past, or that has left the log, its answer cannot come.
    """
    if position < rated_end:
        return ""
    if rating_committed > next_origin:
        return f"{lane}: usage.events [{next_origin}, {rating_committed}) was rated, but its answers are gone"
    if events_begin > next_origin:
        return f"{lane}: usage.events [{next_origin}, {events_begin}) was deleted before it was rated"
    return ""


@dataclass(kw_only=True, eq=False)
class Watch:
    """`run` looks once a second, until cancelled."""

    lanes: Mapping[int, Lane]
    consumer: AIOKafkaConsumer
    logs: AIOKafkaConsumer
    admin: KafkaAdmin
    pool: asyncpg.Pool[asyncpg.Record]
    rating_group: str
    meters: Meters
    looked: Heartbeat = field(
        default_factory=lambda: Heartbeat("Kafka and Postgres answered", LOOK_AGE_S_MAX)
    )
    clock: Callable[[], float] = time.monotonic
    _in_flight: tuple[float, int] | None = None
    """When, by the clock, how much was in flight."""

    def in_flight(self) -> int | None:
        """How many events of these lanes are accepted and not booked; None = not measured just now."""
        if self._in_flight is None or self.clock() - self._in_flight[0] > MEASURED_S_MAX:
            return None
        return self._in_flight[1]

    def show(self) -> None:
        """Let the gauge show it; once."""
        self.meters.observe("spendmeter.ledger.in_flight", self.in_flight)

    def measured(self, in_flight: int, asked_s: float | None = None) -> None:
        """So many are in flight, by logs that were asked then, or just now."""
        self._in_flight = self.clock() if asked_s is None else asked_s, in_flight

    async def run(self) -> None:
        """Write log ends and look for losses, once a second, whatever is away meanwhile.

        Raises KafkaTimeoutError when the broker did not answer several times in a row.
        """
        self.show()
        await keep_doing(
            self._look,
            "watching is interrupted",
            every_s=INTERVAL_S,
            beat=self.looked,
            deaf_after=TIMEOUTS_MAX,
        )

    async def _look(self) -> None:
        committed = await self.admin.committed(self.rating_group)
        if lanes := list(self.lanes.values()):
            await self._look_at_logs(lanes, committed)
        await self.pool.execute(SQL["end_frozen"])

    async def _look_at_logs(self, lanes: Collection[Lane], committed: Mapping[TopicPartition, int]) -> None:
        begins = await self.consumer.beginning_offsets([lane.events for lane in lanes])
        rated_ends = await self.consumer.end_offsets([lane.rated for lane in lanes])
        await self._check_topics(lanes)
        for lane in lanes:
            progress = lane.progress
            if progress is not None and not lane.stopped:
                lane.halt(
                    loss(
                        lane=f"partition {lane.partition}",
                        next_origin=progress.next_origin,
                        position=progress.position,
                        rating_committed=committed.get(lane.events, 0),
                        events_begin=begins[lane.events],
                        rated_end=rated_ends[lane.rated],
                    )
                )
        asked_at = datetime.now(UTC)  # before asking: all that was accepted by then lies below the ends
        asked_s = self.clock()
        ends = await self.logs.end_offsets([lane.events for lane in lanes])
        await self._write(lanes, ends, asked_at)
        waiting = (ends[lane.events] - lane.progress.next_origin for lane in lanes if lane.progress)
        self.measured(sum(waiting), asked_s)

    async def _check_topics(self, lanes: Collection[Lane]) -> None:
        names = sorted({topic for lane in lanes for topic in (lane.events.topic, lane.rated.topic)})
        facts = await self.admin.topics(names)
        for lane in lanes:
            progress = lane.progress
            if progress is None:
                continue
            for tp, known, offset in (
                (lane.rated, progress.rated_topic, progress.position),
                (lane.events, progress.origin_topic, progress.next_origin),
            ):
                if tp.topic in facts:  # one that has no leader just now is left out, and is no loss
                    lane.halt(created_anew(tp, known, facts[tp.topic].id, never_applied(offset)))

    async def _write(
        self, lanes: Collection[Lane], ends: Mapping[TopicPartition, int], asked_at: datetime
    ) -> None:
        rows = [(lane.partition, ends[lane.events], asked_at, lane.stopped) for lane in lanes]
        async with self.pool.acquire() as connection:
            await connection.executemany(SQL["write_log_end"], rows)
        self.meters.set("spendmeter.line.stopped", sum(1 for lane in lanes if lane.stopped), service="ledger")
