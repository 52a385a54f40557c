"""Kafka as every service uses it: producers, consumers and batches, the options that matter spelled out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from spendmeter.contracts.topics import MESSAGE_BYTES_MAX
from spendmeter.platform.settings import Settings

REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024  # below max.message.bytes, so that the broker refuses none
RECORD_BYTES_MAX = REQUEST_BYTES_MAX - 16 * 1024  # leaves room for headers and the batch's own
PARTITION_FETCH_BYTES_MAX = 4 * 1024 * 1024
FETCH_BYTES_MIN = 64 * 1024
"""The broker gathers so much, for FETCH_WAIT_MS_MAX at most: a round costs the same for one event or many."""
FETCH_WAIT_MS_MAX = 50
DISCARD_S_MAX = 2.0

Headers = list[tuple[str, bytes]]
Record = tuple[bytes | None, bytes, Headers]
"""Key, value, headers."""


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
    return futures


async def discard(producer: AIOKafkaProducer) -> None:
    """Let go of a producer, whatever it still holds: `stop` would wait for batches that may never end."""
    sender = producer._sender.sender_task  # there is no public way to abandon a producer
    if sender is not None:
        sender.cancel()
    producer._closed = True
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(DISCARD_S_MAX):
            await producer.client.close()
