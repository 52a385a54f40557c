"""A migrated database, emptied of what the book sums up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from spendmeter.platform.migrate import migrate
from tests.stack import own_database


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    url = own_database(owner_url, "book")
    await migrate(url, "test")
    return url


@pytest.fixture
async def book(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to a book without rollups."""
    connection = await asyncpg.connect(database)
    await connection.execute("TRUNCATE rollups_minute, rollups, touched, rolled")
    yield connection
    await connection.close()
