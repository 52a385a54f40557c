"""One ingest process for the tests that do it no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from spendmeter.platform.kafka_access import KafkaAccess
from tests.ingest.harness import Ingest, prepare_kafka, prepare_postgres


@pytest.fixture(scope="session")
async def door(
    kafka_access: KafkaAccess, owner_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ingest]:
    """A running ingest with keys of two tenants, on a topic of its own."""
    await prepare_kafka(kafka_access, "door.")
    database, keys = await prepare_postgres(owner_url)
    log = tmp_path_factory.mktemp("ingest") / "ingest.log"
    ingest = Ingest(kafka=kafka_access, database=database, prefix="door.", log=log, keys=keys)
    ingest.start()
    try:
        ingest.wait_ready()
        yield ingest
    finally:
        ingest.stop()
