"""A migrated database, and the ledger's own connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.ledger.book import prepare
from spendmeter.platform.roles import role_url
from tests.databases import SECRET, empty, migrated_database


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    return await migrated_database(owner_url, "ledger")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to an empty book."""
    connection = await asyncpg.connect(database)
    await empty(
        connection,
        "entries, identities, period_closings, closed_periods, closing_sums, carried, unbooked, later_messages, supersessions, positions, log_ends, accounting, accounting_keys, rollups_minute, rollups, touched, rolled, scope_hours, scope_hours_due, series, remarks_daily, "
        "tenants, tenant_terms, late_rated, budgets, channels, incidents, incident_acts, planned_windows, rule_dry_runs, deliveries, corrections, corrected_identities",
    )
    yield connection
    await connection.close()


@pytest.fixture
async def ledger(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the ledger's role, staging table made."""
    connection = await asyncpg.connect(role_url(database, "ledger", SECRET))
    await prepare(connection)
    yield connection
    await connection.close()
