"""The application in this process, on a migrated database of its own, asked over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.access.keys import ApiKeys
from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.catalog.past_changes import PastChanges
from services.api.catalog.price_books import PriceBooks
from services.api.changes.prices import PastPrices
from services.api.choice.priced_slices import PricedSlices
from services.api.database.remembered import BookedDays
from services.api.database.transactions import Database, prepare
from services.api.events.past_books import PastBooks
from services.api.http.shared_answers import SharedAnswers
from services.api.spend.closed import ClosedSums
from spendmeter.platform.catalog_store import record
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import TEAM_READER, role_url
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.catalog_admin import IN, NAMED, OUT
from tests.databases import SECRET, empty, migrated_database


@pytest.fixture(scope="session")
async def database_url(owner_url: str) -> str:
    """The owner's URL."""
    return await migrated_database(owner_url, "api")


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    """An empty book with the tenants acme (UTC) and globex (Europe/Berlin)."""
    connection = await asyncpg.connect(database_url)
    await empty(
        connection,
        "audit_log, saved_views, readouts, people_acts, sessions, dimension_acts, workflow_acts, label_maps, alert_rules, meters, allocation_plans, catalog_pulls, corrections, corrected_identities, rerate_jobs, entries, identities, period_closings, closed_periods, closing_sums, carried, unbooked, later_messages, supersessions, positions, log_ends, accounting, accounting_keys, dropped_names, rollups_minute, minutes_kept, moments, moment_marks, recorded_apart, proved_marks, proved_until, proof_acts, proof_findings, rollups, touched, rolled, remarks_daily, series, tenants, tenant_terms, "
        "api_keys, key_uses, pseudonym_keys, pseudonyms, erasures, retention_acts, catalog_entries, catalog_publications, catalog_proposals, budgets, channels, incidents, "
        "incident_acts, planned_windows, rule_dry_runs, deliveries, forecasts, latest_forecasts, budget_counters, runs, run_outcomes, user_months, quality_hours, model_decision_withdrawals, model_decisions, run_days, agent_people, run_days_due, workflow_days_due, workflow_days, workflow_outcome_days, workflow_dear_runs, cells, projection_marks, closed_accounts, corrector, outcomes, outcome_faults, "
        "outcome_position, assets, imports, billed_rows, invoice_imports, invoice_days, invoice_rows, true_ups, true_up_periods, true_ups_due, true_up_marks",
    )
    book = Book(connection)
    await book.tenant("acme")
    await book.tenant("globex", zone="Europe/Berlin")
    yield book
    await connection.close()


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """The database as the api role sees it, and of one team as api_team does."""
    pools = [
        await create_pool(role_url(database_url, role, SECRET), size_max=10, service="test", init=prepare)
        for role in ("api", TEAM_READER)
    ]
    yield Database(*pools)
    for pool in pools:
        await pool.close()


@pytest.fixture(scope="session")
def api(database: Database) -> FastAPI:
    """The application, built once."""
    return create_app(Settings(), database, BookProgress(), lambda: "")


@pytest.fixture
async def client(api: FastAPI, database: Database, book: Book) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody's client: no key, no cookie, and no answer of a second ago. What the process remembered of other
    tests is gone."""
    api.state.keys = ApiKeys(database, again_s=0)
    api.state.progress = BookProgress()
    api.state.closed = ClosedSums()
    api.state.booked_days = BookedDays()
    api.state.shared_answers = SharedAnswers()
    api.state.price_books = PriceBooks(database)
    api.state.past_changes = PastChanges()
    api.state.past_books = PastBooks()
    api.state.past_prices = PastPrices()
    api.state.priced_slices = PricedSlices()
    transport = httpx.ASGITransport(app=api, raise_app_exceptions=False)
    fresh = {"Cache-Control": "no-cache"}
    async with httpx.AsyncClient(transport=transport, base_url="http://spend.test", headers=fresh) as client:
        yield client


@pytest.fixture
async def acme(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    """A client with a key of acme that may read and change."""
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read', 'admin')}"
    return client


@pytest.fixture
async def operator(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    """A key for everybody's catalog, which holds one model."""
    await record(book.connection, [IN, OUT, NAMED], by="migrate", note="the catalog of this release")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    return client
