"""Every route of the API answers as /openapi.json says, whatever is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database
from services.api.exports.running import RunningExports
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.roles import role_url
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.databases import SECRET
from tests.described import held_against_its_description
from tests.ports import free_port

PREFIX = "described."


@pytest.fixture
async def address(database: Database, database_url: str, kafka_access: KafkaAccess) -> AsyncIterator[str]:
    """The API, served as in production, with a broker for what it puts on topics."""
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix=PREFIX, partitions=1)
    settings = Settings(port=free_port(), kafka=kafka_access, topic_prefix=PREFIX)
    app = create_app(settings, database, BookProgress(), lambda: "")
    app.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    server = Server(app, settings)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{settings.port}"
    server.should_exit = True
    await serving
    await app.state.corrector.aclose()


async def test_every_route_answers_as_it_is_described(address: str, book: Book, tmp_path: Path) -> None:
    key = await book.key("acme", "read", "admin")
    endless = ("/v1/spend/live",)
    await held_against_its_description(address, key, tmp_path, refused=endless)
