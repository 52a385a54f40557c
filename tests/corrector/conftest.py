"""A migrated database with an empty book, and connections of the corrector and the ledger to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from spendmeter.platform.roles import role_url
from tests.corrector.rerate_world import RerateBook, opened
from tests.corrector.written_book import Book, open_book
from tests.databases import SECRET, empty, migrated_database


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    return await migrated_database(owner_url, "corrector")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to an empty book."""
    connection = await asyncpg.connect(database)
    await empty(
        connection,
        "entries, identities, period_closings, closed_periods, closing_sums, carried, unbooked, later_messages, positions, log_ends, accounting, accounting_keys, rollups_minute, minutes_kept, moments, moment_marks, recorded_apart, "
        "rollups, touched, series, remarks_daily, tenants, tenant_terms, late_rated, corrector, corrections, "
        "corrected_identities, catalog_entries, catalog_publications, "
        "projection_marks, closed_accounts, cells, runs, run_outcomes, user_months, quality_hours, run_days, agent_people, run_days_due, workflow_days_due, workflow_days, workflow_outcome_days, workflow_dear_runs, outcomes, outcome_faults, outcome_position, rerate_jobs, late_marks, true_ups, true_up_periods, true_ups_due, true_up_marks",
    )
    yield connection
    await connection.close()


@pytest.fixture
async def corrector(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the corrector's role."""
    connection = await asyncpg.connect(role_url(database, "corrector", SECRET))
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
async def rerate_book(owner: asyncpg.Connection, database: str) -> AsyncIterator[RerateBook]:
    """An empty book and an empty catalog, in which events are booked and jobs are worked at."""
    async with opened(database, owner) as made:
        yield made
