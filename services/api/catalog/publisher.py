"""Publishes the price catalog: what stands in Postgres is on the `catalog` topic, and its marker comes last.

Every entry has a key of its own and never changes, so publishing it again, or from two processes at once,
changes nothing. A worker counts entries before it believes a marker: one that runs ahead does no harm either.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
from aiokafka import TopicPartition

from services.api.catalog.sql import SQL
from services.api.database.transactions import Database
from spendmeter.contracts.catalog import PUBLICATION_KEY, Publication, decode_catalog, encode_catalog
from spendmeter.contracts.topics import CATALOG
from spendmeter.platform.kafka import Record, money_consumer, producer, read_to_end, running, send_batches
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log

VERSION_INTERVAL_S = 1.0
"""How often Postgres is asked for a publication that another process recorded: one row."""
CHECK_INTERVAL_S = 30.0
"""How often the topic itself is looked at: it may have been lost."""
SEND_TIMEOUT_S = 60


@dataclass(frozen=True, kw_only=True)
class OnTopic:
    """What the topic holds: keys of entries, and the last marker."""

    keys: frozenset[str]
    marker: Publication | None


def missing(entries: Mapping[str, str], newest: Publication, on_topic: OnTopic) -> list[Record]:
    """The records that the topic lacks, the marker last; none when it holds the publication. Pure."""
    lacking: list[Record] = [
        (key.encode(), body.encode(), []) for key, body in entries.items() if key not in on_topic.keys
    ]
    last = on_topic.marker
    if lacking or last is None or (last.version, last.entries) != (newest.version, newest.entries):
        lacking.append((PUBLICATION_KEY, encode_catalog(newest), []))
    return lacking


class CompleteTopic(NamedTuple):
    """The topic and its end, when it held all of a publication."""

    topic_id: str
    end: int
    version: int


class CatalogPublisher:
    """`run` publishes at start, and again whenever Postgres has a newer version or the topic was lost.

    `recorded` is set by whoever in this process has recorded a publication.
    """

    def __init__(self, settings: Settings, database: Database, recorded: asyncio.Event | None = None) -> None:
        self._settings = settings
        self._database = database
        self._recorded = recorded or asyncio.Event()
        self._topic = settings.topic_prefix + CATALOG.name
        self._complete: CompleteTopic | None = None
        self._checked_s = 0.0

    async def run(self) -> None:
        """Until cancelled; what is away is tried again."""
        await keep_doing(self._publish_if_due, "the catalog could not be published yet")

    async def _publish_if_due(self) -> None:
        self._recorded.clear()
        newest = await self._newest()
        known = self._complete and self._complete.version
        due = time.monotonic() - self._checked_s > CHECK_INTERVAL_S
        if newest is not None and (due or newest.version != known):
            self._checked_s = time.monotonic() if due else self._checked_s
            await self.publish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VERSION_INTERVAL_S):
                await self._recorded.wait()

    async def publish(self) -> int:
        """See to it that the topic holds the newest publication; returns how many records were sent."""
        newest = await self._newest()
        if newest is None:
            return 0
        if self._complete is not None and newest.version > self._complete.version:
            # The topic was complete: only what is new is sent. Should it have been lost meanwhile, workers
            # count what they can read and keep their book, until the next check.
            entries = await self._entries(self._complete.version, newest.version)
            records = missing(entries, newest, OnTopic(keys=frozenset(), marker=None))
            await self._send(newest, records)
            self._complete = CompleteTopic("", 0, newest.version)
            return len(records)
        async with KafkaAdmin(self._settings.kafka) as admin:
            await admin.ensure_topics([CATALOG], prefix=self._settings.topic_prefix, partitions=1)
            facts = await admin.topics([self._topic])
        topic_id = facts[self._topic].id if self._topic in facts else ""
        on_topic, end = await self._read(topic_id, newest.version)
        if on_topic is None:
            return 0
        records = missing(await self._entries(0, newest.version), newest, on_topic)
        if records:
            await self._send(newest, records)
        self._complete = CompleteTopic(topic_id, end, newest.version)
        return len(records)

    async def _newest(self) -> Publication | None:
        async with self._database.reading(OPERATOR) as connection:
            row = await connection.fetchrow(SQL["publication"])
        if row is None:
            return None
        at: datetime = row["published_at"]
        return Publication(version=row["version"], entries=row["entries"], published_at=at)

    async def _entries(self, since: int, version: int) -> dict[str, str]:
        async with self._database.reading(OPERATOR) as connection:
            rows = await connection.fetch(SQL["entries"], since, version)
        return {row["id"]: row["body"] for row in rows}

    async def _read(self, topic_id: str, version: int) -> tuple[OnTopic | None, int]:
        """The topic from its beginning to its end; None when nothing has changed since it was complete."""
        consumer = money_consumer(self._settings, group=None)
        partition = TopicPartition(self._topic, 0)
        async with running(consumer):
            end = (await consumer.end_offsets([partition]))[partition]
            if self._complete == CompleteTopic(topic_id, end, version):
                return None, end
            keys: set[str] = set()
            marker = None
            async for records in read_to_end(consumer, partition):
                for record in records:
                    if record.key == PUBLICATION_KEY:
                        marker = _marker(record.value) or marker
                    elif record.key and record.value:
                        keys.add(record.key.decode("ascii", "replace"))
        return OnTopic(keys=frozenset(keys), marker=marker), end

    async def _send(self, newest: Publication, records: list[Record]) -> None:
        sender = producer(self._settings, service="api")
        async with running(sender), asyncio.timeout(SEND_TIMEOUT_S):
            # The marker goes out only after every entry has been acknowledged.
            for part in (records[:-1], records[-1:]):
                await asyncio.gather(*await send_batches(sender, self._topic, 0, part))
        log().info("catalog published", version=newest.version, entries=newest.entries, count=len(records))


def _marker(value: bytes | None) -> Publication | None:
    try:
        record = decode_catalog(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, Publication) else None
