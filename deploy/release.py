"""Brings Kafka and Postgres to this release: topics, schema, roles, the shipped price catalog. Repeatable."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import TopicPartition

from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.topics import CATALOG, TOPICS
from spendmeter.platform.catalog_return import Parted, bring_back
from spendmeter.platform.catalog_store import SQL as STORE
from spendmeter.platform.catalog_store import read_publication, record
from spendmeter.platform.catalog_topic import read_topic
from spendmeter.platform.kafka import money_consumer, running
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.migrate import migrate
from spendmeter.platform.service_keys import apply_service_keys
from spendmeter.platform.settings import Settings
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook

SQL = load_sql(Path(__file__).with_name("release.sql"))


async def prepare_kafka(kafka: KafkaAccess, *, topic_prefix: str, partitions: int) -> None:
    """Create the topics that are missing."""
    async with KafkaAdmin(kafka) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix=topic_prefix, partitions=partitions)


async def prepare_database(
    owner_url: str, role_secret: str, kafka: KafkaAccess | None = None, *, topic_prefix: str = ""
) -> str:
    """Migrate, set roles and our services' keys, and record the shipped price catalog; before that, bring
    back what a restored database lacks of the catalog topic, for its next version may be another one there.
    Without `kafka` nobody looks. Returns what people should be told: mostly nothing."""
    await migrate(owner_url, role_secret)
    connection = await asyncpg.connect(owner_url, command_timeout=120)
    try:
        await apply_service_keys(connection, role_secret)
        if kafka and (parted := await _bring_back(connection, kafka, topic_prefix)):
            return f"the catalog of this release was not recorded: {parted} (docs/stopped-line.md)"
        trouble = await _record_catalog(connection)
        await _record_terms(connection)
        return trouble
    finally:
        await connection.close()


async def _bring_back(connection: Any, kafka: KafkaAccess, topic_prefix: str) -> str:
    """'' or why that cannot be."""
    consumer = money_consumer(Settings(kafka=kafka, topic_prefix=topic_prefix), group=None)
    known = {row["id"]: row["version"] for row in await connection.fetch(STORE["recorded"])}
    async with running(consumer):
        topic = await read_topic(consumer, TopicPartition(topic_prefix + CATALOG.name, 0), known)
    try:
        return await bring_back(connection, topic)
    except Parted as parted:
        return str(parted)


async def _record_catalog(connection: Any) -> str:
    """The shipped catalog in place of the last release's. Where that contradicts what people have stated,
    nothing is recorded: no worker could read it, and the price book would stay as it is for good."""
    shipped, note = load_snapshot(), "the catalog of this release"
    try:
        async with connection.transaction():
            if await record(connection, shipped, by="migrate", note=note, replaces=True) is not None:
                PriceBook(*await read_publication(connection))
    except CatalogError as error:
        return (
            f"{note} was not recorded, because it contradicts what was stated here ({error}); the catalog "
            "stays as it was: withdraw the one that is wrong, then migrate again"
        )
    return ""


async def _record_terms(connection: Any) -> None:
    """What earlier releases kept of a tenant's calendar outside the catalog, stated there, once."""
    rows, now = await connection.fetch(SQL["terms_outside"]), datetime.now(UTC)
    terms = [identified(TenantTerms(**row, source="the table tenants", recorded_at=now)) for row in rows]
    if terms:
        await record(connection, terms, by="setup", note="terms that tenants were made with")
