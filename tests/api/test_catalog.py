"""The catalog topic holds what Postgres holds, the marker last, whatever happens to the topic."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.api.catalog.publisher import NOT_READ, CatalogPublisher, PublishedEntry, missing
from services.api.database.transactions import Database
from services.rating.catalog_follower import Assembly
from spendmeter.contracts.catalog import PUBLICATION_KEY, Price, Publication, decode_catalog
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.catalog_return import Parted
from spendmeter.platform.catalog_store import record
from spendmeter.platform.catalog_topic import OnTopic, last_marker
from spendmeter.platform.kafka import money_consumer, producer, running
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.pricing.entries import terms

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
    entries = {name: PublishedEntry("{}", []) for name in "ab"}

    def lacking(keys: str, last: Publication) -> list[bytes | None]:
        on_topic = OnTopic(known={}, keys=set(keys), marker=last)
        return [key for key, _, _ in missing(entries, wanted, on_topic)]

    assert lacking("ab", wanted) == []
    assert lacking("a", wanted) == [b"b", PUBLICATION_KEY]
    assert lacking("ab", Publication(version=1, entries=2, published_at=NOW)) == [PUBLICATION_KEY]


TABLES = (
    "SELECT id, tenant, type, body, version, recorded_by, recorded_at FROM catalog_entries ORDER BY version, id",
    "SELECT * FROM catalog_publications ORDER BY version",
)


async def catalog_of(book: Book) -> list[list[tuple[object, ...]]]:
    """All that the database says of its catalog."""
    return [[tuple(row) for row in await book.connection.fetch(table)] for table in TABLES]


async def go_back(book: Book, version: int) -> None:
    """As a backup of that time has it."""
    for table in ("catalog_entries", "catalog_publications"):
        await book.connection.execute(f"DELETE FROM {table} WHERE version > $1", version)


async def three_publications(book: Book) -> None:
    await record(book.connection, [price(1)], by="migrate", note="the catalog of this release")
    await record(book.connection, [price(2), price(3)], by="key a", note="proposal 1")
    await record(book.connection, [price(4)], by="key b", note="proposal 2")


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_what_a_restored_database_lacks_is_brought_back_to_the_byte_and_its_versions_are_not_given_again(
    settings: Settings, database: Database, book: Book, left: int
) -> None:
    await three_publications(book)
    assert await CatalogPublisher(settings, database).publish() == 5
    before, records = await catalog_of(book), await on_topic(settings)
    await go_back(book, left)
    publisher = CatalogPublisher(settings, database)
    assert publisher.refuses_after(left) == NOT_READ, "who has not looked gives no version away"
    assert await publisher.publish() == 0, "the topic has it all"
    assert await catalog_of(book) == before
    assert publisher.refuses_after(3) == ""
    assert await record(book.connection, [price(5)], by="key a", note="proposal 3") == 4
    assert await publisher.publish() == 2
    assert (await on_topic(settings))[: len(records)] == records


async def test_what_is_brought_back_states_the_terms_of_tenants_again(
    settings: Settings, database: Database, book: Book
) -> None:
    await record(book.connection, [terms("acme", currency="EUR")], by="setup", note="")
    await CatalogPublisher(settings, database).publish()
    await go_back(book, 0)
    await book.connection.execute("DELETE FROM tenant_terms WHERE tenant = 'acme'")
    await CatalogPublisher(settings, database).publish()
    assert await book.connection.fetchval("SELECT currency FROM tenant_terms WHERE tenant = 'acme'") == "EUR"


async def test_a_database_that_goes_back_under_a_running_process_is_brought_up_and_no_older_marker_is_sent(
    settings: Settings, database: Database, book: Book
) -> None:
    await three_publications(book)
    publisher = CatalogPublisher(settings, database)
    await publisher.publish()
    before, records = await catalog_of(book), await on_topic(settings)
    await go_back(book, 1)
    assert publisher.refuses_after(1) == "the database went back to version 1, and the catalog topic has 3"
    assert await publisher.publish() == 0
    assert (await catalog_of(book), await on_topic(settings)) == (before, records)


async def test_a_version_that_was_given_away_twice_is_not_published(
    settings: Settings, database: Database, book: Book
) -> None:
    """By hand, or by a migrate that could not see the topic: raters keep the book that they have."""
    await three_publications(book)
    await CatalogPublisher(settings, database).publish()
    records = await on_topic(settings)
    await go_back(book, 2)
    await record(book.connection, [price(9)], by="key c", note="proposal 2")
    publisher = CatalogPublisher(settings, database)
    with pytest.raises(Parted, match=f"entry {price(4).id} under version 3"):
        await publisher.publish()
    task = asyncio.create_task(publisher.run())
    await publisher.looked()
    task.cancel()
    assert "a version was given away twice" in publisher.refuses_after(3)
    assert await on_topic(settings) == records


async def test_a_part_of_a_publication_is_not_brought_back_and_a_topic_made_anew_has_all_that_was_in_force(
    settings: Settings, database: Database, book: Book
) -> None:
    """Version 4 has two entries, of which one was sent before all went down, and no backup has it."""
    await three_publications(book)
    await CatalogPublisher(settings, database).publish()
    before = await catalog_of(book)
    await record(book.connection, [price(5), price(6)], by="key a", note="proposal 3")
    publisher = CatalogPublisher(settings, database)
    entries = await publisher._entries(3, 4)
    async with running(sender := producer(settings, service="test")):
        key, entry = min(entries.items())
        await sender.send_and_wait(
            f"{settings.topic_prefix}catalog", entry.body.encode(), key=key.encode(), headers=entry.headers
        )
    await go_back(book, 1)
    with pytest.raises(Parted, match="of version 4 the catalog topic has only a part"):
        await publisher.publish()
    assert await catalog_of(book) == before, "what was in force is back"
    async with KafkaAdmin(settings.kafka) as admin:
        await admin._admin.delete_topics([f"{settings.topic_prefix}catalog"])
    async with asyncio.timeout(30):
        while not await sent_by(publisher):
            await asyncio.sleep(0.2)
    assert len(await on_topic(settings)) == 5


async def sent_by(publisher: CatalogPublisher) -> int:
    try:
        return await publisher.publish()
    except (KafkaError, Parted):  # it is being deleted
        return 0


async def test_the_last_marker_is_found_however_much_came_after_it(
    settings: Settings, database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.platform.catalog_topic.LAST_RECORDS", 2)
    await three_publications(book)
    publisher, partition = (
        CatalogPublisher(settings, database),
        TopicPartition(f"{settings.topic_prefix}catalog", 0),
    )
    await publisher.publish()
    async with running(sender := producer(settings, service="test")):
        for after in range(4):
            async with running(consumer := money_consumer(settings, group=None)):
                marker = await last_marker(consumer, partition)
            assert marker is not None and marker.version == 3, after
            await sender.send_and_wait(partition.topic, b"an entry that nobody can read", key=b"x")
