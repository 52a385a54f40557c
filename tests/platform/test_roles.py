"""Who may do what in the database: what Postgres says equals contracts/tables.md."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from spendmeter.platform.migrate import migrate
from spendmeter.platform.roles import (
    ROLES,
    SERVICE_ROLES,
    TEAM_READER,
    TEAM_ROWS,
    read_tables,
    role_name,
    role_url,
)
from tests.stack import own_database

SECRET = "test"
PRIVILEGES = {
    "SELECT": "S",
    "INSERT": "I",
    "UPDATE": "U",
    "DELETE": "D",
    "TRUNCATE": "T",
    "REFERENCES": "R",
    "TRIGGER": "G",
}


@pytest.fixture(scope="module")
async def database(owner_url: str) -> str:
    url = own_database(owner_url, "roles")
    await migrate(url, SECRET)
    await migrate(url, SECRET)  # repeatable
    return url


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def connect(database: str, role: str) -> asyncpg.Connection:
    return await asyncpg.connect(role_url(database, role, SECRET))


async def test_what_postgres_grants_is_what_tables_md_says(owner: asyncpg.Connection, database: str) -> None:
    name = database.rpartition("/")[2]
    granted: dict[tuple[str, str], str] = {}
    for row in await owner.fetch(
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE table_schema = 'public' AND table_name !~ '^_pogo'"
    ):
        key = (row["grantee"], row["table_name"])
        granted[key] = granted.get(key, "") + PRIVILEGES[row["privilege_type"]]
    stated = {
        (role_name(name, role), access.table): letters
        for access in read_tables()
        for role, letters in access.privileges.items()
        if letters
    }
    services = {role_name(name, role) for role in SERVICE_ROLES}
    found = {key: "".join(sorted(letters)) for key, letters in granted.items() if key[0] in services}
    assert found == {key: "".join(sorted(letters)) for key, letters in stated.items()}


async def test_every_table_and_view_is_in_tables_md(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '^_pogo' "
        "UNION ALL SELECT viewname FROM pg_views WHERE schemaname = 'public'"
    )
    assert {row["tablename"] for row in rows} == {access.table for access in read_tables()}


async def test_every_table_with_a_tenant_has_row_level_security_forced(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS secured FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    assert rows
    assert [row["relname"] for row in rows if not row["secured"]] == []


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_of_a_process_can_change_or_remove_an_entry(database: str, role: str) -> None:
    connection = await connect(database, role)
    try:
        for statement in (
            "UPDATE entries SET effective = 0",
            "DELETE FROM entries",
            "TRUNCATE entries",
            "DROP TABLE entries",
            "ALTER TABLE entries DISABLE ROW LEVEL SECURITY",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_no_role_of_a_process_bypasses_row_level_security(
    owner: asyncpg.Connection, database: str
) -> None:
    name = database.rpartition("/")[2]
    rows = await owner.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND (rolsuper OR rolbypassrls OR rolcreaterole)",
        [role_name(name, role) for role in ROLES],
    )
    assert rows == []


async def test_api_without_a_tenant_sees_nothing_and_with_one_sees_its_own(
    owner: asyncpg.Connection, database: str
) -> None:
    await owner.execute("INSERT INTO tenants (tenant, name) VALUES ('acme', 'Acme'), ('globex', 'Globex')")
    await owner.execute(
        "INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, "
        "workflow_version, agent, environment, key_id) SELECT t, '\\x00', '', '', '', '', '', '', '', '', '', '', '' "
        "FROM unnest(ARRAY['acme', 'globex']) AS t"
    )
    await owner.execute(
        "INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by) "
        "VALUES ('shared', '', 't', '{}', 1, 'test'), ('mine', 'acme', 't', '{}', 1, 'test'), "
        "('theirs', 'globex', 't', '{}', 1, 'test')"
    )
    api = await connect(database, "api")
    try:
        for access in read_tables():
            if "S" in access.privileges["api"]:
                # How far the chain of days is closed is one row, of the installation.
                rows = 1 if access.table == "chain_progress" else 0
                assert await api.fetchval(f"SELECT count(*) FROM {access.table}") == rows, access.table
        async with api.transaction():
            await api.execute("SELECT set_config('app.tenant', 'acme', true)")
            assert await api.fetchval("SELECT array_agg(tenant) FROM tenants") == ["acme"]
            assert await api.fetchval("SELECT array_agg(tenant) FROM series") == ["acme"]
            assert set(await api.fetchval("SELECT array_agg(id) FROM catalog_entries")) == {"shared", "mine"}
        assert await api.fetchval("SELECT count(*) FROM tenants") == 0, (
            "the setting ends with the transaction"
        )
    finally:
        await api.close()


async def test_api_cannot_write_a_row_of_another_tenant(database: str) -> None:
    api = await connect(database, "api")
    try:
        async with api.transaction():
            await api.execute("SELECT set_config('app.tenant', 'acme', true)")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await api.execute(
                    "INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by) "
                    "VALUES ('x', 'globex', 't', '{}', 1, 'test')"
                )
    finally:
        await api.close()


async def test_a_role_cannot_enter_another_database(
    owner: asyncpg.Connection, database: str, owner_url: str
) -> None:
    other = own_database(owner_url, "roles")
    await migrate(other, SECRET)
    url = role_url(database, "api", SECRET).rsplit("/", 1)[0] + "/" + other.rpartition("/")[2]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url)


MAY_CALL = {
    "usage_sum", "usage_total", "dimension", "dimensions", "spent", "series_within", "budget_now",
    "accounting_by_partition", "behind_book", "spent_as_of", "parts_of_time", "usage_negated", "counted_usage", "recorded_from",
    "booked_by",
}  # fmt: skip
"""Of functions, what the role that sees one team may call: two count offsets alone, and counted_usage looks at
the catalog's units."""


async def test_who_sees_one_team_reads_what_team_rows_says_and_each_table_has_its_policy(
    owner: asyncpg.Connection, database: str
) -> None:
    role = role_name(database.rpartition("/")[2], TEAM_READER)
    rows = await owner.fetch(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = $1", role
    )
    granted = {(row["table_name"], row["privilege_type"]) for row in rows}
    # Views over some of them, an instant of the installation, and how far the book had come when.
    views = {
        "own_dimensions",
        "minutes_kept",
        "entry_sums",
        "moments",
        "moment_marks",
        "closed_accounts",
        "proved_until",
    }
    assert granted == {(table, "SELECT") for table in {*TEAM_ROWS, *views}}
    policies = await owner.fetch(
        "SELECT tablename, policyname, permissive, cmd FROM pg_policies WHERE $1 = ANY (roles)", role
    )
    assert {tuple(row) for row in policies} == {
        (table, "one_team", "PERMISSIVE", "SELECT") for table in TEAM_ROWS
    }
    secured = {access.table for access in read_tables() if access.tenant_rows != "no"}
    assert set(TEAM_ROWS) <= secured
    called = await owner.fetch(
        "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace "
        "AND has_function_privilege($1, p.oid, 'EXECUTE') AND NOT EXISTS ("
        "SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
        role,
    )
    assert {row["proname"] for row in called} == MAY_CALL


async def test_who_sees_one_team_sees_no_row_without_a_tenant_or_without_a_team(
    owner: asyncpg.Connection, database: str
) -> None:
    await owner.execute(
        "INSERT INTO tenants (tenant, name) VALUES ('teams', 'Teams');"
        "INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, "
        "workflow_version, agent, environment, key_id) SELECT 'teams', decode(team, 'hex'), '', '', '', team, '', '', '', "
        "'', '', '', '' FROM unnest(ARRAY['0a', '0b', '']) AS team;"
        "INSERT INTO budgets (tenant, name, filter, amount, currency, period) SELECT 'teams', f, f::jsonb, 1, 'USD', "
        '\'day\' FROM unnest(ARRAY[\'{}\', \'{"team": "0a"}\', \'{"team": "0b"}\', \'{"team": ""}\']) AS f'
    )
    connection = await connect(database, TEAM_READER)

    async def seen(tenant: str, team: str) -> tuple[list[str], list[str]]:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.tenant', $1, true), set_config('app.team', $2, true)", tenant, team
            )
            return (
                [row[0] for row in await connection.fetch("SELECT team FROM series")],
                [row[0] for row in await connection.fetch("SELECT name FROM budgets")],
            )

    try:
        for table in TEAM_ROWS:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        assert await seen("teams", "0a") == (["0a"], ['{"team": "0a"}'])
        assert await seen("teams", "") == await seen("", "0a") == await seen("acme", "0a") == ([], [])
        for statement in (
            "SELECT FROM people_acts", "SELECT FROM runs", "SELECT FROM unbooked", "SELECT FROM accounting",
            "SELECT FROM forecasts", "SELECT FROM incidents", "SELECT FROM minutes.earlier",
            "DELETE FROM budgets", "INSERT INTO touched VALUES ('teams', 'hour', now())", "SELECT all_tenants()",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
