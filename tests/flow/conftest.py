"""One running system for all end to end tests, and a raw producer beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from tests.flow.otlp import Otlp
from tests.flow.system import System


@pytest.fixture(scope="session")
def otlp() -> Iterator[Otlp]:
    """Where the running system exports its traces and metrics to."""
    receiver = Otlp()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def system(
    tmp_path_factory: pytest.TempPathFactory, otlp: Otlp, demo_starting: Future[System] | None
) -> Iterator[System]:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    with System(tmp_path_factory.mktemp("flow") / "home", environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Another running system, of those who freeze its parts, fill it or measure it, one after the other: they leave
    it whole. On a worker of its own it runs beside the first."""
    environment = {"SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true"}
    with System(tmp_path_factory.mktemp("second") / "home", environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def demo_starting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[System] | None]:
    """A system with the demo, started beside the first tests: its runaway takes a minute and a half to come."""
    if not any("runaway" in item.name and "/flow/" in str(item.path) for item in request.session.items):
        yield None
        return
    demo = System(tmp_path_factory.mktemp("demo") / "home", demo=True)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(demo.__enter__)
        yield starting
        starting.result().stop()


@pytest.fixture(scope="module")
def demo(demo_starting: Future[System]) -> Iterator[System]:
    """The running system with the demo's traffic, which the tests after these can do without."""
    yield demo_starting.result()
    demo_starting.result().stop()


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
