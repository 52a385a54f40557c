"""A migrated database, emptied of what the book sums up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.databases import empty, migrated_database


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    return await migrated_database(owner_url, "book")


@pytest.fixture
async def book(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to a book without rollups."""
    connection = await asyncpg.connect(database)
    await empty(connection, "rollups_minute, rollups, touched, rolled")
    yield connection
    await connection.close()
