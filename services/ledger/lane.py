"""A lane: one partition of usage.rated, read in order and booked batch by batch on a connection of its own.

The position that counts is the one in Postgres. Kafka's committed offset follows it and is read by people
and monitors alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from services.ledger.batch import BookPosition, LossFound, collect, refused_by_database
from services.ledger.book import SQL, Booked, PositionMoved, book, read_progress
from services.ledger.refusals import BadData, raising_bad_data, standstill_reason
from services.ledger.totals import Totals
from spendmeter.book.series import SeriesKey
from spendmeter.contracts.rated import RatedUsage, decode_rated, encode_rated
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.log_fit import created_anew, misfit
from spendmeter.platform.retry import passes, retrying
from spendmeter.platform.telemetry import Meters, current_span, links, log, sampled_spans, tracer, under
from spendmeter.platform.topic_ids import TopicFacts

BATCH_EVENTS_MAX = 2_000
LINGER_BELOW_EVENTS = 500
LINGER_S = 0.02
POLL_MS = 500
SERIES_MAX = 50_000
"""Series that a lane remembers to be written; senders choose their labels."""
STEP_AGE_S_MAX = 5.0
"""A lane polls at least twice a second, and a booking takes a fraction of one: longer is worth telling."""

_Value = tuple[int, bytes | None]


@dataclass(kw_only=True, eq=False)
class Lane:
    """Books one partition until it is stopped, meets a bug, or finds a loss: `stopped` then names it."""

    rated: TopicPartition
    events: TopicPartition
    consumer: AIOKafkaConsumer
    pool: asyncpg.Pool[asyncpg.Record]
    totals: Totals
    meters: Meters
    progress: BookPosition | None = None
    stopped: str = ""
    """Why the line stands still: for good after a loss, else while the schema refuses a booking."""

    def __post_init__(self) -> None:
        self.partition = self.rated.partition
        self.worked = Heartbeat(f"partition {self.partition} was polled and booked", STEP_AGE_S_MAX)
        self._series: set[SeriesKey] = set()
        self._booking = asyncio.Lock()
        self._halted = False
        self._placed = False
        """Whether the consumer stands where the book does."""
        self._task: asyncio.Task[None]

    def start(self, tasks: asyncio.TaskGroup, facts: dict[str, TopicFacts]) -> None:
        """Begin; `facts` are those of both topics. A bug ends all of `tasks`."""
        self._task = tasks.create_task(self._run(facts), name=f"lane-{self.partition}")

    async def stop(self) -> None:
        """Let the transaction under way end, and begin no other."""
        self._halted = True
        async with self._booking:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def halt(self, reason: str) -> None:
        """Stop the line if there is a reason, which names what was lost, until somebody has looked."""
        if reason and not self._halted:
            self.stopped = reason
            self._halted = True
            log().error("line stopped: records are lost", partition=self.partition, reason=reason)

    async def _run(self, facts: dict[str, TopicFacts]) -> None:
        while not self._halted:
            async for attempt in retrying(
                "booking is interrupted", away=self._passes, beat=self.worked, partition=self.partition
            ):
                with attempt:
                    await self._step(facts)

    async def _step(self, facts: dict[str, TopicFacts]) -> None:
        """Poll, decide, book; at first, and after trouble, from where the book stands."""
        try:
            if not self._placed:
                await self._open(facts)
            if records := await self._poll():
                async with self._booking:
                    if not self._halted:
                        await self._book_traced(records)
            self.worked.beat()
        except PositionMoved:
            self._placed = False
            log().info("position moved under us: reading it again", partition=self.partition)
        except LossFound as loss:
            self.halt(str(loss))

    def _passes(self, error: Exception) -> bool:
        """Whether the lane is to look again where the book stands, and to go on from there."""
        self._placed = False
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            # No record is to blame, so none is rejected: look again what the book says, until it fits.
            self._hold(standstill_reason(self.partition, error))
            return True
        if not (passes(error) or isinstance(error, OffsetOutOfRangeError)):
            return False
        self.meters.add("spendmeter.database.retries", service="ledger")
        return True

    async def _open(self, facts: dict[str, TopicFacts]) -> None:
        """Find out where the book stands and go there. Raises LossFound when the log no longer fits it."""
        rated_id, events_id = facts[self.rated.topic].id, facts[self.events.topic].id
        async with self.pool.acquire() as connection:
            progress = await read_progress(connection, self.partition)  # first: it waits for nobody's lock
            if progress is None:
                await connection.execute(SQL["first_start"], self.partition, rated_id, events_id)
                progress = await read_progress(connection, self.partition)
        assert progress is not None, "first_start has just made the row"
        begins = await self.consumer.beginning_offsets([self.rated])
        ends = await self.consumer.end_offsets([self.rated])
        lost = created_anew(self.rated, progress.rated_topic, rated_id, never_applied(progress.position))
        lost = lost or misfit(
            self.rated, progress.position, begins[self.rated], ends[self.rated], done="applied"
        )
        if lost:
            raise LossFound(lost)
        self.progress = progress
        self.consumer.seek(self.rated, progress.position)
        self._placed = True

    def _hold(self, reason: str) -> None:
        if reason != self.stopped and not self._halted:
            self.stopped = reason
            log().error("line stands still: nothing is booked", partition=self.partition, reason=reason)

    def _resume(self) -> None:
        if self.stopped and not self._halted:
            self.stopped = ""
            log().info("line goes on", partition=self.partition)

    async def _poll(self) -> list[ConsumerRecord[Any, Any]]:
        polled = await self.consumer.getmany(self.rated, timeout_ms=POLL_MS, max_records=BATCH_EVENTS_MAX)
        records: list[ConsumerRecord[Any, Any]] = polled.get(self.rated, [])
        if 0 < len(records) < LINGER_BELOW_EVENTS:
            await asyncio.sleep(LINGER_S)  # a transaction costs the same for one event as for many
            more = await self.consumer.getmany(self.rated, timeout_ms=0, max_records=BATCH_EVENTS_MAX)
            records += more.get(self.rated, [])
        return records

    async def _book_traced(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        contexts = sampled_spans(records)
        with current_span("ledger book", links=links(contexts)) as span:
            span.set_attribute("messaging.batch.message_count", len(records))
            began = time.time_ns()
            await self._book([(record.offset, record.value) for record in records])
        for context in contexts:
            tracer().start_span("ledger book event", context=under(context), start_time=began).end()

    async def _book(self, records: Sequence[_Value]) -> None:
        """Book `records`; where the database refuses the data, halve until the bad one stands alone."""
        assert self.progress is not None
        batch = collect(self.progress, records)
        began = time.monotonic()
        try:
            async with self.pool.acquire() as connection:
                with raising_bad_data():
                    booked = await book(connection, batch, self._series)
        except BadData as refusal:
            if len(records) > 1:
                half = len(records) // 2
                await self._book(records[:half])
                await self._book(records[half:])
                return
            log().warning("the database refused a record", partition=self.partition, error=str(refusal))
            await self._book([_rejection(records[0], refusal)])
            return
        self._resume()
        self._count(booked, len(records), time.monotonic() - began)
        if booked.late:
            log().warning(
                "events were rated in another currency than their tenant's terms: listed in late_rated",
                partition=self.partition,
                count=booked.late,
            )
        self.progress = booked.progress
        if len(self._series) > SERIES_MAX:
            self._series.clear()
        self._series |= booked.series
        self.totals.touch(booked.touched)

    def _count(self, booked: Booked, events: int, took_s: float) -> None:
        for outcome, count in booked.outcomes.items():
            self.meters.add("spendmeter.ledger.events", count, outcome=outcome)
        if booked.late:
            self.meters.add("spendmeter.ledger.late_rated", booked.late)
        self.meters.record("spendmeter.ledger.transaction.duration", took_s)
        self.meters.record("spendmeter.ledger.batch.events", events)


def never_applied(offset: int) -> str:
    """What is lost with a log that was created anew."""
    return f"everything from offset {offset} on was never applied"


def _rejection(record: _Value, refusal: BadData) -> _Value:
    offset, value = record
    usage = decode_rated(value or b"")
    if not isinstance(usage, RatedUsage):
        return offset, None  # rating writes no such thing: a stray
    # What the driver says of a value may quote it; the kind of error is enough to find it by.
    return offset, encode_rated(refused_by_database(usage, str(refusal)))
