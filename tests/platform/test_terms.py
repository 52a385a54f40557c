"""In what a tenant counts stands in the catalog alone, and in tenant_terms with it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pogo_core.util.migrate import apply

from deploy.release import prepare_database
from spendmeter.contracts.catalog import TenantTerms, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.terms import Timeline, timeline_of
from spendmeter.platform.catalog_store import record
from spendmeter.platform.migrate import MIGRATIONS
from spendmeter.platform.roles import role_url
from tests.databases import SECRET, migrated_database
from tests.stack import own_database

SAID: dict[str, Any] = {"source": "test", "recorded_at": datetime(2026, 11, 23, tzinfo=UTC)}
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
STRETCHES = (
    "SELECT nullif(effective_from, '-infinity') AS effective_from, currency, zone, first_weekday, fiscal_start_month "
    "FROM tenant_terms WHERE tenant = $1 ORDER BY tenant_terms.effective_from"
)


@pytest.fixture
async def url(owner_url: str) -> str:
    return await migrated_database(owner_url, "terms")


@pytest.fixture
async def owner(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


def terms(**said: Any) -> TenantTerms:
    return identified(TenantTerms(tenant="acme", **SAID, **said))


async def state(owner: asyncpg.Connection, *entries: Any) -> None:
    assert await record(owner, entries, by="test", note="test") is not None


async def stretches(owner: asyncpg.Connection) -> list[tuple[Any, ...]]:
    return [
        (row["effective_from"], row["currency"], row["zone"]) for row in await owner.fetch(STRETCHES, "acme")
    ]


async def test_terms_are_recorded_with_their_stretches_and_end_with_the_next_or_their_withdrawal(
    owner: asyncpg.Connection,
) -> None:
    first, euros = terms(time_zone="Asia/Tokyo"), terms(currency="EUR", effective_from=DECEMBER)
    await state(owner, first)
    assert await stretches(owner) == [(None, "USD", "Asia/Tokyo")]
    await state(owner, euros)
    assert await stretches(owner) == [(None, "USD", "Asia/Tokyo"), (DECEMBER, "EUR", "UTC")]
    ends = "SELECT count(*) FROM tenant_terms WHERE effective_to = $1"
    assert await owner.fetchval(ends, DECEMBER) == 1
    await state(owner, identified(Withdrawal(entries=(first.id, euros.id), **SAID)))
    assert await stretches(owner) == []


async def test_what_terms_leave_out_is_the_same_in_the_table_as_in_the_contract(
    owner: asyncpg.Connection,
) -> None:
    await state(owner, terms())
    assert timeline_of(await owner.fetch(STRETCHES, "acme")) == timeline_of([]) == Timeline()


@pytest.mark.parametrize("role", ["api", "ledger", "alerts"])
async def test_nobody_else_writes_them(owner: asyncpg.Connection, url: str, role: str) -> None:
    connection = await asyncpg.connect(role_url(url, role, SECRET))
    for statement in (
        "INSERT INTO tenant_terms VALUES ('acme', now(), 'infinity', 'EUR', 'UTC', 1, 1, '', 0)",
        "DELETE FROM tenant_terms",
        "SELECT settle_tenant_terms('{acme}')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_what_the_table_tenants_said_of_zones_is_stated_in_the_catalog_once(
    owner_url: str, tmp_path: Path
) -> None:
    """As an earlier release left it: acme has terms in the catalog, which rating obeyed; globex has bookings, so
    in dollars; initech has none; hooli counts as everybody does."""
    for file in MIGRATIONS.glob("000[1-5]*.sql"):
        shutil.copy(file, tmp_path)
    url = own_database(owner_url, "terms")
    name = url.rpartition("/")[2]
    maintenance = await asyncpg.connect(f"{url.rsplit('/', 1)[0]}/postgres")
    await maintenance.execute(f'CREATE DATABASE "{name}"')
    await maintenance.close()
    before = await asyncpg.connect(url)
    await apply(before, tmp_path, schema_name="public")
    await before.execute(
        "INSERT INTO tenants (tenant, name, currency, zone, fiscal_start_month) VALUES ('acme', '', 'USD', 'UTC', 1), "
        "('globex', '', 'EUR', 'Europe/Berlin', 4), ('initech', '', 'GBP', 'UTC', 1), ('hooli', '', 'USD', 'UTC', 1); "
        "INSERT INTO series SELECT 'globex', '', '', '', '', '', '', '', '', '', '', '', ''"
    )
    await state(before, terms(currency="EUR", time_zone="Europe/Paris"))
    await before.close()
    for _ in range(2):
        await prepare_database(url, SECRET)
    owner = await asyncpg.connect(url)
    rows = await owner.fetch("SELECT tenant, currency, zone, fiscal_start_month FROM tenant_terms ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("acme", "EUR", "Europe/Paris", 1), ("globex", "USD", "Europe/Berlin", 4), ("initech", "GBP", "UTC", 1),
    ]  # fmt: skip
    stated = "SELECT tenant FROM catalog_entries WHERE type = 'spendmeter.catalog.tenant.v1' ORDER BY 1"
    assert [row["tenant"] for row in await owner.fetch(stated)] == ["acme", "globex", "initech"]
    await owner.close()
