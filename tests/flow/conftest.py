"""One running system for all end to end tests, and a raw producer beside it. Neither outlives the tests of this folder:
a system at rest takes a fifth of a core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from tests.flow.otlp import Otlp
from tests.flow.system import System


@pytest.fixture(scope="package")
def otlp() -> Iterator[Otlp]:
    """Where the running system exports its traces and metrics to."""
    receiver = Otlp()
    yield receiver
    receiver.close()


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory, otlp: Otlp) -> Iterator[System]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    with System(tmp_path_factory.mktemp("flow") / "home", environment=environment) as running:
        yield running


@pytest.fixture(scope="package")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Another running system, of those who freeze its parts, fill it or measure it, one after the other: they leave
    it whole. On a worker of its own it runs beside the first."""
    environment = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}
    with System(tmp_path_factory.mktemp("second") / "home", environment=environment) as running:
        yield running


@pytest.fixture
async def raw(system: System) -> AsyncIterator[AIOKafkaProducer]:
    """A producer without any idea of what it sends."""
    async with AIOKafkaProducer(**system.kafka.options()) as producer:
        yield producer


@pytest.fixture
async def owner(system: System) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to the book."""
    connection = await system.database()
    yield connection
    await connection.close()
