"""Kafka as every service uses it: producers, consumers and batches, the options that matter spelled out."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord, RecordMetadata

from spendmeter.contracts.topics import MESSAGE_BYTES_MAX, partition_of
from spendmeter.platform.settings import Settings

REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024  # below max.message.bytes, so that the broker refuses none
RECORD_BYTES_MAX = REQUEST_BYTES_MAX - 16 * 1024  # leaves room for headers and the batch's own
PARTITION_FETCH_BYTES_MAX = 4 * 1024 * 1024
FETCH_BYTES_MIN = 64 * 1024
"""The broker gathers so much, for FETCH_WAIT_MS_MAX at most: a round costs the same for one event or many."""
FETCH_WAIT_MS_MAX = 50
SEND_S_MAX = 10.0
CLOSE_S_MAX = 2.0
READ_POLL_MS = 500
READ_RECORDS_MAX = 5_000

Headers = list[tuple[str, bytes]]
Record = tuple[bytes | None, bytes, Headers]
"""Key, value, headers."""


class Client(Protocol):
    """A consumer, a producer or an admin client of this process."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Let go of the connections."""


def producer(settings: Settings, *, service: str, request_timeout_ms: int = 10_000) -> AIOKafkaProducer:
    """An idempotent producer, not started. Its batches never expire: a caller needs a deadline of its own."""
    return AIOKafkaProducer(
        **settings.kafka.options(),
        client_id=f"spendmeter-{service}",
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=REQUEST_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        request_timeout_ms=request_timeout_ms,
        metadata_max_age_ms=30_000,
    )


def log_reader(settings: Settings) -> AIOKafkaConsumer:
    """For asking where logs end, also behind a transaction that is still open, past which a money consumer
    does not see. Not started."""
    return AIOKafkaConsumer(
        **settings.kafka.options(),
        client_id="spendmeter-log-reader",
        isolation_level="read_uncommitted",
        request_timeout_ms=15_000,
        enable_auto_commit=False,
    )


def money_consumer(settings: Settings, *, group: str | None) -> AIOKafkaConsumer:
    """A consumer that never skips in silence: it commits and resets nothing by itself, and reads only what
    was committed. Not started; it subscribes or is assigned afterwards."""
    return AIOKafkaConsumer(
        **settings.kafka.options(),
        client_id=f"spendmeter-{group or 'reader'}",
        group_id=settings.topic_prefix + group if group else None,
        isolation_level="read_committed",
        auto_offset_reset="none",
        enable_auto_commit=False,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
        fetch_min_bytes=FETCH_BYTES_MIN,
        fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        metadata_max_age_ms=30_000,
        request_timeout_ms=15_000,
    )


async def send_batches(
    sender: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Record]
) -> list[asyncio.Future[RecordMetadata]]:
    """Hand `records` to the producer in order, as few batches as fit; one future a batch, done when the
    broker has acknowledged. Raises ValueError for a record that no batch can hold."""
    futures = []
    builder = sender.create_batch()
    for key, value, headers in records:
        if len(value) + len(key or b"") > RECORD_BYTES_MAX:  # the builder takes a first record of any size
            raise ValueError(f"a record of {len(value)} bytes is over the {RECORD_BYTES_MAX} of a batch")
        if builder.append(key=key, value=value, timestamp=None, headers=headers) is None:
            # Full: append() drops the record without a word unless it is offered again.
            futures.append(await sender.send_batch(builder, topic, partition=partition))
            builder = sender.create_batch()
            if builder.append(key=key, value=value, timestamp=None, headers=headers) is None:
                raise ValueError(f"a record of {len(value)} bytes is over the {REQUEST_BYTES_MAX} of a batch")
    if builder.record_count():
        futures.append(await sender.send_batch(builder, topic, partition=partition))
    for batch in futures:
        batch.add_done_callback(_look_at)
    return futures


async def send_by_key(sender: AIOKafkaProducer, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send each (key, value) to its key's partition; back when the broker has acknowledged all of them.
    Raises TimeoutError after SEND_S_MAX."""
    by_partition: defaultdict[int, list[Record]] = defaultdict(list)
    async with asyncio.timeout(SEND_S_MAX):
        partitions = len(await sender.partitions_for(topic))
        for key, value in records:
            by_partition[partition_of(key, partitions)].append((key, value, []))
        batches = [
            batch
            for partition, of_partition in by_partition.items()
            for batch in await send_batches(sender, topic, partition, of_partition)
        ]
        await asyncio.gather(*batches)


def _look_at(batch: asyncio.Future[RecordMetadata]) -> None:
    """Take note of a failure: of a batch that was given up on nobody else does, and asyncio complains."""
    if not batch.cancelled():
        batch.exception()


async def read_to_end(
    consumer: AIOKafkaConsumer, partition: TopicPartition, *, last: int | None = None, since: int = 0
) -> AsyncIterator[list[ConsumerRecord[Any, Any]]]:
    """All that lies on the partition now from `since` on, poll by poll, or of its `last` so many offsets; the
    consumer is assigned to it, and goes on there."""
    consumer.assign([partition])
    begins, ends = await consumer.beginning_offsets([partition]), await consumer.end_offsets([partition])
    start = max(begins[partition], since if last is None else ends[partition] - last)
    consumer.seek(partition, start)
    while await consumer.position(partition) < ends[partition]:
        polled = await consumer.getmany(partition, timeout_ms=READ_POLL_MS, max_records=READ_RECORDS_MAX)
        yield polled.get(partition, [])


@asynccontextmanager
async def running(*clients: Client) -> AsyncIterator[None]:
    """These clients, started in order. In the end all are let go of at once: together they have no longer
    than one of them."""
    try:
        for client in clients:
            await client.start()
        yield
    finally:
        await asyncio.gather(*map(let_go, clients))


async def let_go(client: Client) -> None:
    """Stop a client within CLOSE_S_MAX, for a frozen broker answers none. A producer is abandoned: its `stop`
    would wait for batches that may never end."""
    with contextlib.suppress(RuntimeError, OSError, TimeoutError):  # aiokafka's errors are RuntimeErrors
        async with asyncio.timeout(CLOSE_S_MAX):
            await (_abandon(client) if isinstance(client, AIOKafkaProducer) else client.stop())


class ReplaceableProducer:
    """A producer in whose place another one comes after `stop`. One that failed is never used again: its
    sequence numbers have moved on past what was not written."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def connected(self) -> AIOKafkaProducer:
        """The one in use; connects where there is none."""
        async with self._connecting:
            if self._producer is None:
                fresh = self._make()
                try:
                    await fresh.start()
                except BaseException:
                    await let_go(fresh)
                    raise
                self._producer = fresh
            return self._producer

    async def start(self) -> None:
        """Connect."""
        await self.connected()

    async def stop(self) -> None:
        """Let go of the one in use, if there is one."""
        failed, self._producer = self._producer, None
        if failed is not None:
            await let_go(failed)


async def _abandon(producer: AIOKafkaProducer) -> None:
    sender = producer._sender.sender_task  # there is no public way to abandon a producer
    if sender is not None:
        sender.cancel()
    producer._closed = True
    await producer.client.close()
