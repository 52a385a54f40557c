"""The catalog topic holds what Postgres holds, the marker last, whatever happens to the topic."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.api.catalog.publisher import CatalogPublisher, OnTopic, missing
from services.api.database.transactions import Database
from services.rating.catalog_follower import Assembly
from spendmeter.contracts.catalog import PUBLICATION_KEY, Price, Publication, decode_catalog
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.catalog_store import record
from spendmeter.platform.kafka import money_consumer
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.settings import Settings
from tests.api.book import Book

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def price(number: int) -> Price:
    return identified(
        Price(
            provider="p", sku=f"sku-{number}", unit="input_tokens", price="1", source="test", recorded_at=NOW
        )
    )


@pytest.fixture
def settings(kafka_access: KafkaAccess) -> Settings:
    return Settings(kafka=kafka_access, topic_prefix=f"api-{uuid4().hex[:8]}.", partitions=1)


async def on_topic(settings: Settings) -> list[tuple[bytes, bytes]]:
    consumer = money_consumer(settings, group=None)
    await consumer.start()
    partition = TopicPartition(f"{settings.topic_prefix}catalog", 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    end = (await consumer.end_offsets([partition]))[partition]
    records = []
    while await consumer.position(partition) < end:
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            records += [(each.key, each.value) for each in batch]
    await consumer.stop()
    return records


async def test_the_marker_comes_after_every_entry_and_publishing_again_sends_nothing(
    settings: Settings, database: Database, book: Book
) -> None:
    publisher = CatalogPublisher(settings, database)
    assert await publisher.publish() == 0, "there is no publication yet"
    entries = [price(number) for number in range(500)]
    await record(book.connection, entries, by="test", note="first")
    assert await publisher.publish() == 501
    records = await on_topic(settings)
    assert {key for key, _ in records[:-1]} == {entry.id.encode() for entry in entries}
    assert records[-1][0] == PUBLICATION_KEY
    marker = decode_catalog(records[-1][1])
    assert isinstance(marker, Publication)
    assert (marker.version, marker.entries) == (1, 500)
    assert await publisher.publish() == 0
    assert await CatalogPublisher(settings, database).publish() == 0, "another process finds it complete"
    assert len(await on_topic(settings)) == 501


async def test_a_new_version_sends_what_is_new_and_a_worker_believes_it(
    settings: Settings, database: Database, book: Book, client: httpx.AsyncClient
) -> None:
    publisher = CatalogPublisher(settings, database)
    await record(book.connection, [price(1)], by="test", note="first")
    await publisher.publish()
    await record(book.connection, [price(2)], by="test", note="second")
    assert await publisher.publish() == 2
    assembly = Assembly()
    assembly.take([value for _, value in await on_topic(settings)])
    complete = assembly.complete()
    assert complete is not None
    assert (complete[0], len(complete[1]), assembly.skipped) == (2, 2, 0)
    client.headers["Authorization"] = f"Bearer {await book.key('acme')}"
    answer = (await client.get("/v1/catalog/publication")).json()
    assert (answer["version"], answer["entries"], answer["note"]) == (2, 2, "second")


async def test_two_processes_at_once_do_no_harm(settings: Settings, database: Database, book: Book) -> None:
    await record(book.connection, [price(number) for number in range(50)], by="test", note="first")
    await asyncio.gather(*(CatalogPublisher(settings, database).publish() for _ in range(2)))
    assembly = Assembly()
    assembly.take([value for _, value in await on_topic(settings)])
    complete = assembly.complete()
    assert complete is not None
    assert len(complete[1]) == 50


async def test_a_topic_that_was_lost_is_made_and_filled_again(
    settings: Settings, database: Database, book: Book
) -> None:
    publisher = CatalogPublisher(settings, database)
    await record(book.connection, [price(number) for number in range(3)], by="test", note="first")
    assert (await publisher.publish(), await publisher.publish()) == (4, 0)
    admin = AIOKafkaAdminClient(**settings.kafka.options())
    await admin.start()
    await admin.delete_topics([f"{settings.topic_prefix}catalog"])
    await admin.close()
    async with asyncio.timeout(30):
        while True:
            sent = await publisher.publish()
            if sent:
                break
            await asyncio.sleep(0.2)
    assert sent == 4
    assert len(await on_topic(settings)) == 4


def test_a_topic_that_lacks_an_entry_gets_it_and_its_marker_again() -> None:
    wanted = Publication(version=2, entries=2, published_at=NOW)
    entries = {"a": "{}", "b": "{}"}
    full = OnTopic(keys=frozenset({"a", "b"}), marker=wanted)
    assert missing(entries, wanted, full) == []
    lacking = missing(entries, wanted, OnTopic(keys=frozenset({"a"}), marker=wanted))
    assert [key for key, _, _ in lacking] == [b"b", PUBLICATION_KEY]
    older = Publication(version=1, entries=2, published_at=NOW)
    assert [key for key, _, _ in missing(entries, wanted, OnTopic(keys=full.keys, marker=older))] == [
        PUBLICATION_KEY
    ]
