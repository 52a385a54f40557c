"""The database's roles, grants and row-level security, made to equal contracts/tables.md at every migrate."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from spendmeter import contracts

SERVICE_ROLES = ("ledger", "alerts", "api", "ingest", "reconciler")
API_FUNCTIONS = (
    "live_keys()",
    "live_sessions()",
    "open_session(bytea, text, interval, int)",
    "close_session(bytea)",
    "accounting_by_partition()",
    "accounting_by_tenant()",
    "catalog_to_publish(int)",
    "catalog_published()",
    "catalog_next()",
    "catalog_standing()",
    "catalog_record(int, text[], text, text)",
    "catalog_used()",
    "catalog_events(bytea[], timestamptz, timestamptz, int)",
    "catalog_events_count(text[], bytea[], timestamptz)",
    "catalog_unknown(timestamptz)",
    "accounting_by_key(int)",
    "dropped_names_seen(timestamptz, int)",
    "find_occurred_at(bytea)",
    "all_tenants()",
    "budget_now(budgets)",
)
_PRIVILEGES = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_TENANT = "NULLIF(current_setting('app.tenant', true), '')"


@dataclass(frozen=True, kw_only=True)
class TableAccess:
    """One row of tables.md: who may do what, and whether rows belong to tenants."""

    table: str
    tenant_rows: str
    """'yes', 'yes+shared' or 'no'."""
    privileges: dict[str, str]
    """Role to letters of SIUD."""


def read_tables() -> list[TableAccess]:
    """The table of tables.md."""
    text = Path(contracts.__path__[0], "tables.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    head, body = rows[0], rows[2:]
    return [
        TableAccess(
            table=cells["table"],
            tenant_rows=cells["tenant rows"],
            privileges={role: cells[role].replace("-", "") for role in SERVICE_ROLES},
        )
        for cells in (dict(zip(head, row, strict=True)) for row in body)
    ]


def role_name(database: str, role: str) -> str:
    """Roles belong to the cluster, so their names carry the database's."""
    return f"{database}_{role}"


def role_password(role_secret: str, name: str) -> str:
    """Derived, so that one secret of the installation gives every role its own password."""
    return hmac.new(role_secret.encode(), name.encode(), hashlib.sha256).hexdigest()


def role_url(owner_url: str, role: str, role_secret: str) -> str:
    """The owner's URL with `role`'s name and password in it."""
    parts = urlsplit(owner_url)
    name = role_name(parts.path.lstrip("/"), role)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{quote(name, safe='')}:{role_password(role_secret, name)}@{host}")
    )


async def apply_roles(connection: asyncpg.Connection, role_secret: str) -> None:
    """Make roles, grants and policies equal to tables.md. Repeatable; run as the owner, in a transaction."""
    database = await connection.fetchval("SELECT current_database()")
    names = {role: role_name(database, role) for role in SERVICE_ROLES}
    for name in names.values():
        password = role_password(role_secret, name)
        exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
        verb = "ALTER" if exists else "CREATE"
        await connection.execute(
            f'{verb} ROLE "{name}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE '
            f"PASSWORD '{password}'"
        )
    everyone = ", ".join(f'"{name}"' for name in names.values())
    await connection.execute(
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;'
        f'GRANT CONNECT ON DATABASE "{database}" TO {everyone};'
        f'GRANT TEMPORARY ON DATABASE "{database}" TO "{names["ledger"]}";'
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {everyone};"
        f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, {everyone};"
        f"GRANT USAGE ON SCHEMA public TO {everyone};"
        f"GRANT EXECUTE ON FUNCTION usage_sum(jsonb, jsonb), usage_total(jsonb) TO {everyone};"
        f'GRANT EXECUTE ON FUNCTION {", ".join(API_FUNCTIONS)} TO "{names["api"]}";'
        f'GRANT EXECUTE ON FUNCTION key_names(text, text[]) TO "{names["alerts"]}";'
    )
    for access in read_tables():
        if grants := _grants(access, names):
            await connection.execute("".join(grants))
        if access.tenant_rows != "no":
            await connection.execute("".join(_policies(access, names)))


def _grants(access: TableAccess, names: dict[str, str]) -> list[str]:
    return [
        f'GRANT {", ".join(_PRIVILEGES[letter] for letter in letters)} ON {access.table} TO "{names[role]}";'
        for role, letters in access.privileges.items()
        if letters
    ]


def _policies(access: TableAccess, names: dict[str, str]) -> list[str]:
    table = access.table
    own = f"tenant = {_TENANT}"
    visible = f"{own} OR (tenant = '' AND {_TENANT} IS NOT NULL)" if "shared" in access.tenant_rows else own
    others = ", ".join(f'"{name}"' for role, name in names.items() if role != "api")
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
        f"DROP POLICY IF EXISTS one_tenant ON {table}; DROP POLICY IF EXISTS all_tenants ON {table};",
        f'CREATE POLICY one_tenant ON {table} TO "{names["api"]}" USING ({visible}) WITH CHECK ({own});',
        f"CREATE POLICY all_tenants ON {table} TO {others}, CURRENT_USER USING (true) WITH CHECK (true);",
    ]
