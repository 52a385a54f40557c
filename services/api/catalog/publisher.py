"""Publishes the price catalog: what stands in Postgres is on the `catalog` topic, and its marker comes last.

Every entry has a key of its own and never changes, so publishing it again, or from two processes at once,
changes nothing. A worker counts entries before it believes a marker: one that runs ahead does no harm either.
Where Postgres lacks what the topic has, it was restored: that is brought back first, so that no version is
given away twice.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from aiokafka import TopicPartition

from services.api.catalog.sql import SQL
from services.api.database.transactions import ITSELF, Database
from spendmeter.contracts.catalog import (
    PUBLICATION_KEY,
    PUBLISHED_HEADER,
    Publication,
    PublishedAs,
    encode_catalog,
)
from spendmeter.contracts.topics import CATALOG
from spendmeter.platform.catalog_return import Parted, bring_back
from spendmeter.platform.catalog_store import SQL as STORE
from spendmeter.platform.catalog_topic import OnTopic, read_topic
from spendmeter.platform.kafka import Headers, Record, money_consumer, producer, running, send_batches
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log
from spendmeter.pricing.visibility import EVERYBODY

VERSION_INTERVAL_S = 1.0
"""How often Postgres is asked for a publication that another process recorded: one row."""
CHECK_INTERVAL_S = 30.0
"""How often the topic itself is looked at: it may have been lost."""
SEND_TIMEOUT_S = 60
BRING_BACK_TIMEOUT = "120s"
"""All of a catalog, where nothing was left of the database."""
FIRST_LOOK_S_MAX = 5
"""How long who wants to record something waits for it."""
NOT_READ = "the catalog topic was not looked at yet: it may have publications that the database lacks"


class PublishedEntry(NamedTuple):
    """An entry as it goes to the topic."""

    body: str
    headers: Headers


def missing(entries: Mapping[str, PublishedEntry], newest: Publication, on_topic: OnTopic) -> list[Record]:
    """The records that the topic lacks, the marker last; none when it holds the publication. Pure."""
    lacking: list[Record] = [
        (key.encode(), entry.body.encode(), entry.headers)
        for key, entry in entries.items()
        if key not in on_topic.keys
    ]
    last = on_topic.marker
    if lacking or last is None or (last.version, last.entries) != (newest.version, newest.entries):
        lacking.append((PUBLICATION_KEY, encode_catalog(newest), []))
    return lacking


class CompleteTopic(NamedTuple):
    """The topic and its end, when it held all of a publication; 0 = there was none."""

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
        self._parted = ""
        """Why nothing is published; '' = it is."""
        self._looked = asyncio.Event()
        self._checked_s = float("-inf")
        self._meters = Meters()

    async def looked(self) -> None:
        """Back when the topic was looked at, or after FIRST_LOOK_S_MAX."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S_MAX):
                await self._looked.wait()

    def refuses_after(self, version: int) -> str:
        """Why nothing may be recorded on top of this version; '' = it may."""
        if self._parted or self._complete is None:
            return self._parted or NOT_READ
        if version < (published := self._complete.version):
            return f"the database went back to version {version}, and the catalog topic has {published}"
        return ""

    async def run(self) -> None:
        """Until cancelled; what is away is tried again."""
        await keep_doing(self._publish_if_due, "the catalog could not be published yet")

    async def _publish_if_due(self) -> None:
        self._recorded.clear()
        newest = await self._newest()
        is_other = self._complete is None or self._complete.version != _version(newest)
        due = time.monotonic() - self._checked_s > CHECK_INTERVAL_S
        if due or (is_other and not self._parted):
            self._checked_s = time.monotonic() if due else self._checked_s
            await self._publish_or_say_why_not()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VERSION_INTERVAL_S):
                await self._recorded.wait()

    async def _publish_or_say_why_not(self) -> None:
        try:
            await self.publish()
            self._parted = ""
        except Parted as error:
            self._complete, self._parted = None, str(error)
            log().error("the catalog is not published, and nothing is approved", reason=self._parted)
        self._looked.set()
        self._meters.set("spendmeter.api.catalog.parted", int(bool(self._parted)))

    async def publish(self) -> int:
        """See to it that Postgres lacks nothing of the topic, nor the topic of the newest publication;
        returns how many records were sent. Raises Parted."""
        newest = await self._newest()
        if newest is not None and self._complete is not None and newest.version > self._complete.version:
            # The topic was complete: only what is new is sent. Should it have been lost meanwhile, workers
            # count what they can read and keep their book, until the next check.
            entries = await self._entries(self._complete.version, newest.version)
            return await self._send(
                newest, missing(entries, newest, OnTopic(known={})), CompleteTopic("", 0, 0)
            )
        async with KafkaAdmin(self._settings.kafka) as admin:
            await admin.ensure_topics([CATALOG], prefix=self._settings.topic_prefix, partitions=1)
            facts = await admin.topics([self._topic])
        topic_id = facts[self._topic].id if self._topic in facts else ""
        on_topic, end = await self._read(topic_id, _version(newest))
        if on_topic is None:
            return 0
        if on_topic.unknown or _version(on_topic.marker) > _version(newest):
            await self._bring_back(on_topic)
        return await self._complete_topic(on_topic, CompleteTopic(topic_id, end, 0))

    async def _bring_back(self, on_topic: OnTopic) -> None:
        async with self._database.writing(EVERYBODY, by=ITSELF) as connection:
            await connection.execute(SQL["time_limit"], BRING_BACK_TIMEOUT)
            partly = await bring_back(connection, on_topic)
        if partly:
            raise Parted(partly)

    async def _complete_topic(self, on_topic: OnTopic, read: CompleteTopic) -> int:
        """Send what the topic lacks of the newest publication, as Postgres has it now."""
        newest = await self._newest()
        if (last := _version(on_topic.marker)) > _version(newest):
            raise Parted(
                f"the database is at version {_version(newest)}, and the topic's last marker at {last}"
            )
        if newest is None:
            self._complete = read
            return 0
        records = missing(await self._entries(0, newest.version), newest, on_topic)
        return await self._send(newest, records, read)

    async def _newest(self) -> Publication | None:
        async with self._database.reading(OPERATOR) as connection:
            row = await connection.fetchrow(SQL["publication"])
        if row is None:
            return None
        at: datetime = row["published_at"]
        return Publication(version=row["version"], entries=row["entries"], published_at=at)

    async def _entries(self, since: int, version: int) -> dict[str, PublishedEntry]:
        async with self._database.reading(OPERATOR) as connection:
            rows = await connection.fetch(SQL["entries"], since, version)
            publications = await connection.fetch(STORE["publications_after"], since)
        headers = {
            row["version"]: _headers(
                PublishedAs(
                    by=row["recorded_by"], note=row["note"], at=row["published_at"], entries=row["entries"]
                )
            )
            for row in publications
        }
        return {row["id"]: PublishedEntry(row["body"], headers[row["version"]]) for row in rows}

    async def _read(self, topic_id: str, version: int) -> tuple[OnTopic | None, int]:
        """The topic from its beginning to its end; None when nothing has changed since it was complete."""
        consumer = money_consumer(self._settings, group=None)
        partition = TopicPartition(self._topic, 0)
        async with running(consumer):
            end = (await consumer.end_offsets([partition]))[partition]
            if self._complete == CompleteTopic(topic_id, end, version):
                return None, end
            async with self._database.reading(OPERATOR) as connection:
                rows = await connection.fetch(STORE["recorded"])
            known = {row["id"]: row["version"] for row in rows}
            return await read_topic(consumer, partition, known), end

    async def _send(self, newest: Publication, records: list[Record], read: CompleteTopic) -> int:
        """Returns how many they were; the topic is complete then."""
        if records:
            sender = producer(self._settings, service="api")
            async with running(sender), asyncio.timeout(SEND_TIMEOUT_S):
                # The marker goes out only after every entry has been acknowledged.
                for part in (records[:-1], records[-1:]):
                    await asyncio.gather(*await send_batches(sender, self._topic, 0, part))
            log().info(
                "catalog published", version=newest.version, entries=newest.entries, count=len(records)
            )
        self._complete = read._replace(version=newest.version)
        return len(records)


def _version(publication: Publication | None) -> int:
    return publication.version if publication else 0


def _headers(said: PublishedAs) -> Headers:
    return [(PUBLISHED_HEADER, msgspec.json.encode(said))]
