"""The rating process: reads `usage.events`, answers every record on the same partition of `usage.rated`.

One loop: poll, rate, send, wait for every acknowledgement, commit. A rebalance waits for the round under way;
whatever was not committed is delivered and answered again, and the ledger books it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import ConsumerRecord, RecordMetadata
from opentelemetry import trace

from services.rating.catalog_follower import CatalogFollower
from services.rating.partition_state import PartitionState, created_anew, open_lane
from services.rating.rate import RecordRater
from spendmeter.contracts.rated import Origin, PassedHoles, encode_rated
from spendmeter.contracts.topics import CATALOG, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka import Record, discard, money_consumer, producer, send_batches
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, links, log, span_context, traceparent_headers, tracer
from spendmeter.pricing.price_book import PriceBook

POLL_MS = 200
POLL_RECORDS_MAX = 4_000
ACKNOWLEDGE_S_MAX = 30.0
"""A round unacknowledged for so long: the producer is discarded, and the round begins again."""
ROUND_S_MAX = 4.0
"""How long a rebalance or a SIGTERM waits for the round under way before it is abandoned."""
WATCH_S = 1.0
RETRY_S = 1.0
TIMEOUTS_MAX = 2
ANSWER_AGE_S_MAX = 5.0
"""The broker is asked once a second, and answers in milliseconds."""
ROUND_AGE_S_MAX = 10.0
"""A round is a poll of 0.2 s, pricing of some tenths of a second, and an acknowledgement."""
CLOSE_S_MAX = 2.0

_Polled: TypeAlias = "dict[TopicPartition, list[ConsumerRecord[Any, Any]]]"
TIMESTAMP_MS_MAX = 253_370_764_800_000  # the year 9999, whose last month ends in no date


class Rater(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """`run(stop)` rates until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._answers = RecordRater(timedelta(days=settings.event_age_max_days))
        self._events = settings.topic_prefix + USAGE_EVENTS.name
        self._rated = settings.topic_prefix + USAGE_RATED.name
        self._lanes: dict[TopicPartition, PartitionState] = {}
        self._topic_id = ""
        """Of usage.events when this process first saw it."""
        self._seen: dict[TopicPartition, PartitionState] = {}
        """The last lane of each partition, also of those that are somebody else's by now."""
        self._anew = ""
        self._round = asyncio.Lock()
        self._assignment = 0
        """Counts rebalances: what was polled under an earlier one belongs to somebody else by now."""
        self._trouble = "waiting for Kafka"
        self._answered = Heartbeat("the broker answered", ANSWER_AGE_S_MAX)
        self._rounded = Heartbeat("answers of a round were acknowledged", ROUND_AGE_S_MAX)
        self._timeouts = 0
        self._catalog: CatalogFollower | None = None
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._consumer: AIOKafkaConsumer
        self._producer: AIOKafkaProducer
        self._admin: KafkaAdmin

    def not_ready(self) -> str:
        """Why nothing (or not everything) is rated; '' = all is well."""
        stopped = [lane.stopped for lane in self._lanes.values() if lane.stopped]
        catalog = self._catalog.trouble if self._catalog else ""
        trouble = self._trouble or self._answered.trouble() or self._rounded.trouble()
        return "; ".join(reason for reason in (trouble, self._anew, catalog, *stopped) if reason)

    async def run(self, stop: asyncio.Event) -> None:
        """Rate until `stop`. What goes wrong in our own code is raised, and ends the process."""
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_S_MAX), self._round:
                    working.cancel()
            working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await self._close()
        if not working.cancelled():
            working.result()

    async def _work(self) -> None:
        catalog = await self._connect()
        self._catalog = catalog
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(catalog.follow())
            while catalog.book is None:
                self._trouble = "no price catalog has been published yet"
                await asyncio.sleep(RETRY_S / 10)
            self._trouble = ""
            self._consumer.subscribe([self._events], listener=self)
            tasks.create_task(self._watch())
            while True:
                await self._go_round(catalog)

    async def _connect(self) -> CatalogFollower:
        """Connect and read the catalog to its end, for as long as it takes."""
        settings = self._settings
        while True:
            reader, group = (
                money_consumer(settings, group=None),
                money_consumer(settings, group=USAGE_EVENTS.group),
            )
            self._admin, self._consumer = KafkaAdmin(settings.kafka), group
            self._producer = producer(settings, service="rating")
            self._closing = [
                lambda: self._admin.__aexit__(None, None, None),
                reader.stop,
                group.stop,
                self._discard_producer,
            ]
            try:
                await self._admin.__aenter__()
                await reader.start()
                catalog = CatalogFollower(reader, settings.topic_prefix + CATALOG.name, self._meters)
                await catalog.read_to_end()
                await group.start()
                await self._producer.start()
            except (KafkaError, OSError) as error:
                log().warning("not connected yet", error=type(error).__name__)
                await self._close()
                await asyncio.sleep(RETRY_S)
            else:
                return catalog

    async def _close(self) -> None:
        """Let go of all connections at once: together they have no longer than one of them."""
        closing, self._closing = self._closing, []
        await asyncio.gather(*map(_bounded, closing))

    # -- a round --------------------------------------------------------------------------------------------

    async def _go_round(self, catalog: CatalogFollower) -> None:
        assignment = self._assignment
        try:
            await self._open_lanes()
            polled = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
        except NoOffsetForPartitionError:
            return  # a first start: the lane is about to be opened at the beginning
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                self._lanes.pop(partition, None)  # opened again, it finds out what is missing
            return
        except (KafkaError, OSError) as error:
            log().warning("reading is interrupted", error=type(error).__name__)
            self._trouble = f"usage.events cannot be read ({type(error).__name__})"
            if isinstance(error, KafkaTimeoutError):
                # A client that stays deaf does not recover by itself: a new process does.
                self._timeouts += 1
                if self._timeouts >= TIMEOUTS_MAX:
                    raise
            await asyncio.sleep(RETRY_S)
            return
        self._trouble = ""
        self._timeouts = 0
        async with self._round:
            if assignment == self._assignment:
                assert catalog.book is not None, "no lane is opened before there is a book"
                await self._answer(polled, catalog.book)
        if not self._trouble:
            self._rounded.beat()

    async def _answer(self, polled: _Polled, book: PriceBook) -> None:
        """Answer what was polled, and pass what held no records; commit when all of it is acknowledged."""
        assignment = self._assignment
        try:
            commit = await self._reached(polled)
        except IllegalStateError:
            return  # a partition was taken away just now
        if not commit:
            return
        contexts = [c for rs in polled.values() for r in rs if r.headers and (c := span_context(r.headers))]
        with tracer().start_as_current_span("rating answer", links=links(contexts)) as span:
            answers = {
                partition: self._rate(self._lanes[partition], polled[partition], book)
                if partition in polled
                else [_passed(self._lanes[partition], partition, offset)]
                for partition, offset in commit.items()
            }
            span.set_attribute("messaging.batch.message_count", sum(map(len, answers.values())))
            try:
                async with asyncio.timeout(ACKNOWLEDGE_S_MAX):
                    await self._send(answers)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._begin_again(error)
                return
        if assignment != self._assignment:
            return  # abandoned: whoever has the partitions now answers once more
        for partition, offset in commit.items():
            self._lanes[partition].next = offset
        try:
            await self._consumer.commit(commit)
        except KafkaError as error:
            log().warning("commit failed: it is covered by the next", error=type(error).__name__)

    async def _reached(self, polled: _Polled) -> dict[TopicPartition, int]:
        """The offset that each partition's lane has come to, where it has moved: past the records polled, or
        past control records and aborted transactions at the end of the log."""
        reached = {}
        for partition, lane in list(self._lanes.items()):
            if lane.stopped:
                continue
            records = polled.get(partition)
            offset = records[-1].offset + 1 if records else await self._consumer.position(partition)
            if offset > lane.next:
                reached[partition] = offset
        return reached

    def _rate(
        self, lane: PartitionState, records: Sequence[ConsumerRecord[Any, Any]], book: PriceBook
    ) -> list[Record]:
        outcomes: dict[str, int] = {}
        answers: list[Record] = []
        for record in records:
            origin = Origin(topic=lane.topic_id, partition=record.partition, offset=record.offset)
            answer = self._answers.answer(
                record.key, record.value, origin=origin, prev=lane.prev, book=book, now=_put_at(record)
            )
            lane.prev = record.offset
            outcomes[answer.outcome] = outcomes.get(answer.outcome, 0) + 1
            answers.append((answer.key, answer.value, _carried_on(record) if record.headers else []))
        for outcome, count in outcomes.items():
            self._meters.add("spendmeter.rating.events", count, status=outcome)
        return answers

    async def _send(self, answers: dict[TopicPartition, list[Record]]) -> None:
        """Return when the broker has acknowledged all of it. Raises the first failure."""
        sent: list[asyncio.Future[RecordMetadata]] = []
        for partition, records in answers.items():
            sent += await send_batches(self._producer, self._rated, partition.partition, records)
        for batch in sent:
            batch.add_done_callback(_seen)  # also where the round is abandoned before it is known
        await asyncio.gather(*sent)

    async def _begin_again(self, error: Exception) -> None:
        """A producer that failed is never used again (its sequence numbers have moved on): make a new one,
        and read from what was committed."""
        log().warning("answers were not acknowledged: once more", error=type(error).__name__)
        self._trouble = f"the broker does not take answers ({type(error).__name__})"
        self._lanes.clear()
        await self._discard_producer()
        while True:
            self._producer = producer(self._settings, service="rating")
            try:
                await self._producer.start()
            except (KafkaError, OSError):
                await self._discard_producer()
                await asyncio.sleep(RETRY_S)
            else:
                self._trouble = ""
                return

    async def _discard_producer(self) -> None:
        await discard(self._producer)

    # -- lanes ----------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes everything away: let the round end, or abandon it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S_MAX), self._round:
                pass
        self._assignment += 1
        self._lanes.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The next round opens their lanes."""
        log().info("partitions assigned", count=len(list(assigned)))

    async def _open_lanes(self) -> None:
        """Take up what was assigned and has no lane yet, from where the group stands."""
        missing = [tp for tp in self._consumer.assignment() if tp not in self._lanes]
        if not missing:
            return
        facts = (await self._admin.topics([self._events])).get(self._events)
        if facts is None:
            raise KafkaError(f"{self._events} has no leader just now")
        self._topic_id = self._topic_id or facts.id
        assignment = self._assignment
        begins = await self._consumer.beginning_offsets(missing)
        ends = await self._consumer.end_offsets(missing)
        for partition in missing:
            committed = await self._consumer.committed(partition)
            if assignment != self._assignment:
                return
            lane = open_lane(
                name=f"{partition.topic}/{partition.partition}",
                topic_id=facts.id,
                committed=committed,
                begin=begins[partition],
                end=ends[partition],
            )
            if facts.id == self._topic_id:
                self._seen[partition] = lane
            else:  # the deletion took the group's offsets with it, so that this looks like a first start
                lane.stopped = created_anew(self._seen.get(partition, lane), self._topic_id, facts.id)
            self._lanes[partition] = lane
            self._consumer.seek(partition, lane.next)
            self._halt(partition, lane, lane.stopped)

    def _halt(self, partition: TopicPartition, lane: PartitionState, reason: str) -> None:
        if reason:
            lane.stopped = reason
            self._consumer.pause(partition)
            log().error("line stopped: records are lost", partition=partition.partition, reason=reason)
        stopped = sum(1 for lane in self._lanes.values() if lane.stopped)
        self._meters.set("spendmeter.line.stopped", stopped, service="rating")

    async def _watch(self) -> None:
        """Once a second: is it still the same topic?"""
        while True:
            try:
                async with asyncio.timeout(ANSWER_AGE_S_MAX):
                    facts = (await self._admin.topics([self._events])).get(self._events)
            except (KafkaError, OSError, TimeoutError) as error:
                self._answered.missed(error)
                await asyncio.sleep(WATCH_S)
                continue
            self._answered.beat()
            await asyncio.sleep(WATCH_S)
            # A topic that has no leader just now is left out of the facts, and is no loss.
            if facts is None or not self._topic_id or facts.id == self._topic_id:
                continue
            self._anew = f"{self._events} was created anew (topic id {self._topic_id} became {facts.id})"
            for partition, lane in self._lanes.items():
                if not lane.stopped:
                    self._halt(partition, lane, created_anew(lane, self._topic_id, facts.id))


async def _bounded(close: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S_MAX):
            await close()


def _seen(batch: asyncio.Future[RecordMetadata]) -> None:
    if not batch.cancelled():
        batch.exception()


def _put_at(record: ConsumerRecord[Any, Any]) -> datetime:
    """When the record was put on the topic, which a replay and a clock that steps do not change."""
    if 0 < record.timestamp < TIMESTAMP_MS_MAX:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return datetime.now(UTC)


def _passed(lane: PartitionState, partition: TopicPartition, position: int) -> Record:
    """What lies between was no record: control records, or an aborted transaction."""
    origin = Origin(topic=lane.topic_id, partition=partition.partition, offset=position)
    return None, encode_rated(PassedHoles(origin=origin, prev=lane.prev)), []


def _carried_on(record: ConsumerRecord[Any, Any]) -> list[tuple[str, bytes]]:
    """The headers of the answer: a span of its own where the event's trace is sampled."""
    context = span_context(record.headers)
    if context is None:
        return []
    parent = trace.set_span_in_context(trace.NonRecordingSpan(context))
    with tracer().start_as_current_span("rating event", context=parent):
        return traceparent_headers()
