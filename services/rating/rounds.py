"""Rounds: poll, rate, send and wait for every acknowledgement, commit.

What is not committed is delivered and answered again, and the ledger books it once.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import ConsumerRecord

from services.rating.catalog_follower import CatalogFollower
from services.rating.partition_state import PartitionState
from services.rating.partitions import Partitions
from services.rating.rate import RecordRater
from spendmeter.contracts.rated import Origin, PassedHoles, encode_rated
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka import Record, ReplaceableProducer, send_batches
from spendmeter.platform.retry import TIMEOUTS_MAX, until_done
from spendmeter.platform.telemetry import (
    Meters,
    current_span,
    links,
    log,
    sampled_spans,
    span_context,
    traceparent_headers,
    under,
)

POLL_MS = 200
POLL_RECORDS_MAX = 4_000
ACKNOWLEDGE_S_MAX = 30.0
"""A round unacknowledged for so long: the producer is discarded, and the round begins again."""
ROUND_AGE_S_MAX = 10.0
"""A round is a poll of 0.2 s, pricing of some tenths of a second, and an acknowledgement."""
KEYS_TOLD_OF_MAX = 1_000
TIMESTAMP_MS_MAX = 253_370_764_800_000  # the year 9999, whose last month ends in no date

_Polled: TypeAlias = "dict[TopicPartition, list[ConsumerRecord[Any, Any]]]"


class ConsumerBroken(RuntimeError):
    """aiokafka says a plain KafkaError, and goes on saying it, when a task of its own has died of something
    that it did not expect: of a broker that had not joined its cluster yet, for one. Only a new process
    helps."""


@dataclass(kw_only=True, eq=False)
class Rounds:
    """`run` goes round until cancelled; `not_ready()` says what keeps it from doing so."""

    topic: str
    """Where the answers go."""
    rater: RecordRater
    catalog: CatalogFollower
    partitions: Partitions
    under_way: asyncio.Lock
    """Held during a round."""
    consumer: AIOKafkaConsumer
    sender: ReplaceableProducer
    meters: Meters
    told_of: set[tuple[str, str]] = field(default_factory=set)
    """Tenants and keys that were named in the log: those of which trusted costs are too small."""
    trouble: str = ""
    acknowledged: Heartbeat = field(
        default_factory=lambda: Heartbeat("answers of a round were acknowledged", ROUND_AGE_S_MAX)
    )

    def not_ready(self) -> str:
        """Why nothing is read or answered; '' = it is."""
        return self.trouble or self.acknowledged.trouble()

    async def run(self) -> None:
        """Raises KafkaTimeoutError where the consumer stays deaf, and ConsumerBroken."""
        while True:
            assignment = self.partitions.assignment
            polled = await until_done(
                self._poll, "reading is interrupted", away=self._passes, deaf_after=TIMEOUTS_MAX
            )
            self.trouble = ""
            async with self.under_way:
                if assignment == self.partitions.assignment:
                    await self._answer(polled)
                else:  # nobody answers what was polled: opened again, the partitions are sought back to it
                    self.partitions.states.clear()
            if not self.trouble:
                self.acknowledged.beat()

    async def _poll(self) -> _Polled:
        """Nothing that comes after this may fail and go on: what was polled would be passed over."""
        try:
            await self.partitions.open()
            return await self._getmany()
        except NoOffsetForPartitionError:
            return {}  # a first start: the partition is about to be opened at its beginning
        except OffsetOutOfRangeError as error:
            self.partitions.forget(error.args[0])  # opened again, it finds out what is missing
            return {}

    async def _getmany(self) -> _Polled:
        try:
            polled: _Polled = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
        except KafkaError as error:
            if type(error) is KafkaError:
                raise ConsumerBroken("a task of the Kafka consumer has ended for good") from error
            raise
        return polled

    def _passes(self, error: Exception) -> bool:
        if not isinstance(error, (KafkaError, OSError)):
            return False
        self.trouble = f"usage.events cannot be read ({type(error).__name__})"
        return True

    async def _answer(self, polled: _Polled) -> None:
        """Answer what was polled, and pass what held no records; commit when all of it is acknowledged."""
        assignment = self.partitions.assignment
        try:
            reached = await self._reached(polled)
        except IllegalStateError:
            return  # a partition was taken away just now
        if not reached or assignment != self.partitions.assignment:
            return
        records = [record for of_partition in polled.values() for record in of_partition]
        with current_span("rating answer", links=links(sampled_spans(records))) as span:
            answers = self._rate(polled, reached)
            span.set_attribute("messaging.batch.message_count", sum(map(len, answers.values())))
            try:
                async with asyncio.timeout(ACKNOWLEDGE_S_MAX):
                    await self._send(answers)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._begin_again(error)
                return
        # Else abandoned: whoever has the partitions now answers once more.
        if assignment == self.partitions.assignment:
            await self._commit(reached)

    async def _reached(self, polled: _Polled) -> dict[TopicPartition, int]:
        """The offset that each partition has come to, where it has moved: past the records polled, or past
        control records and aborted transactions at the end of the log."""
        reached = {}
        for partition, state in list(self.partitions.states.items()):
            if state.stopped:
                continue
            records = polled.get(partition)
            offset = records[-1].offset + 1 if records else await self.consumer.position(partition)
            if offset > state.next:
                reached[partition] = offset
        return reached

    def _rate(
        self, polled: _Polled, reached: dict[TopicPartition, int]
    ) -> dict[TopicPartition, list[Record]]:
        """The answers to the records of each partition, or that there were none up to where it has come."""
        states = self.partitions.states
        return {
            partition: self._rate_partition(states[partition], polled[partition])
            if partition in polled
            else [_passed(states[partition], partition, offset)]
            for partition, offset in reached.items()
        }

    def _rate_partition(
        self, state: PartitionState, records: Sequence[ConsumerRecord[Any, Any]]
    ) -> list[Record]:
        assert self.catalog.book is not None, "no partition is opened before there is a book"
        outcomes: Counter[str] = Counter()
        little: Counter[tuple[str, str]] = Counter()
        answers: list[Record] = []
        for record in records:
            answer = self.rater.answer(
                record.key,
                record.value,
                origin=Origin(topic=state.topic_id, partition=record.partition, offset=record.offset),
                prev=state.prev,
                book=self.catalog.book,
                now=_put_at(record),
            )
            state.prev = record.offset
            outcomes[answer.outcome] += 1
            if answer.reports_little is not None:
                little[answer.reports_little] += 1
            answers.append((answer.key, answer.value, _headers(record) if record.headers else []))
        for outcome, count in outcomes.items():
            self.meters.add("spendmeter.rating.events", count, status=outcome)
        if little:
            self._tell_of_little(little)
        return answers

    def _tell_of_little(self, little: Counter[tuple[str, str]]) -> None:
        """Count the events that trusted keys report little of; name each such key once."""
        self.meters.add("spendmeter.rating.reported.low", little.total())
        if len(self.told_of) >= KEYS_TOLD_OF_MAX:
            self.told_of.clear()
        for tenant, key_id in little.keys() - self.told_of:
            self.told_of.add((tenant, key_id))
            log().warning(
                "a trusted key reports less than half of what the catalog says", tenant=tenant, key_id=key_id
            )

    async def _send(self, answers: dict[TopicPartition, list[Record]]) -> None:
        """Return when the broker has acknowledged all of it. Raises the first failure."""
        sender, sent = await self.sender.connected(), []
        for partition, records in answers.items():
            sent += await send_batches(sender, self.topic, partition.partition, records)
        await asyncio.gather(*sent)

    async def _begin_again(self, error: Exception) -> None:
        """With a new producer, from what was committed."""
        log().warning("answers were not acknowledged: once more", error=type(error).__name__)
        self.trouble = f"the broker does not take answers ({type(error).__name__})"
        self.partitions.states.clear()
        await self.sender.stop()
        await until_done(self.sender.start, "no new producer yet", away=(KafkaError, OSError))

    async def _commit(self, reached: dict[TopicPartition, int]) -> None:
        for partition, offset in reached.items():
            self.partitions.states[partition].next = offset
        try:
            await self.consumer.commit(reached)
        except KafkaError as error:
            log().warning("commit failed: it is covered by the next", error=type(error).__name__)


def _put_at(record: ConsumerRecord[Any, Any]) -> datetime:
    """When the record was put on the topic, which a replay and a clock that steps do not change."""
    if 0 < record.timestamp < TIMESTAMP_MS_MAX:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return datetime.now(UTC)


def _passed(state: PartitionState, partition: TopicPartition, position: int) -> Record:
    """What lies between was no record: control records, or an aborted transaction."""
    origin = Origin(topic=state.topic_id, partition=partition.partition, offset=position)
    return None, encode_rated(PassedHoles(origin=origin, prev=state.prev)), []


def _headers(record: ConsumerRecord[Any, Any]) -> list[tuple[str, bytes]]:
    """The headers of the answer: a span of its own where the event's trace is sampled."""
    context = span_context(record.headers)
    if context is None:
        return []
    with current_span("rating event", context=under(context)):
        return traceparent_headers()
