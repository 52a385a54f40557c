"""A migrated database, a book that is written by the ledger, and the pool of one or more workers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.corrector.written_book import Book, open_book
from tests.databases import SECRET, empty, migrated_database
from tests.reservations.world import World, open_pool

TABLES = (
    "entries, identities, unbooked, later_messages, positions, log_ends, accounting, accounting_keys, rollups_minute, "
    "minutes_kept, rollups, touched, series, remarks_daily, tenants, tenant_terms, late_rated, corrector, corrections, "
    "corrected_identities, catalog_entries, catalog_publications, closed_accounts, budgets, reservations, "
    "unreserved, unreserved_waiting, budget_counters, reservation_marks, reservation_answers, reservation_acts, "
    "api_keys"
)


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    return await migrated_database(owner_url, "reservations")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to an empty book."""
    connection = await asyncpg.connect(database)
    await empty(connection, TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def book(owner: asyncpg.Connection, database: str) -> AsyncIterator[Book]:
    """An empty book, its first prices published."""
    made, connections = await open_book(owner, database)
    yield made
    for connection in connections:
        await connection.close()


@pytest.fixture
async def world(owner: asyncpg.Connection, book: Book, database: str) -> AsyncIterator[World]:
    """Hard budgets of acme's, a worker, and the book."""
    pool = await open_pool(database, SECRET)
    yield World(owner=owner, book=book, pool=pool)
    await pool.close()
