"""I8 and I8a: what the catalogue of Postgres lets each role do, and what api's role really sees."""

import re
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL

TABLES = Path(__file__).parents[1] / "contracts" / "tables.md"
"""Who owns and reads which table: the same page that the grants are made from."""
TEAM_ROWS = Path(__file__).parents[1] / "platform" / "team_rows.sql"
TEAM_READER = "api_team"
TEAM_VIEWS = (
    "own_dimensions",
    "minutes_kept",
    "entry_sums",
    "moments",
    "moment_marks",
    "closed_accounts",
    "proved_until",
)
"""The role in no column of that page, and what it may read beside the tables that have a policy for it."""
CHANGES = {"UPDATE", "DELETE", "TRUNCATE"}
TENANTS_LOOKED_AS_MAX = 20
"""Each look reads all of each table; one policy holds for all tenants, so some of them stand for all."""
NO_TENANT, STRANGER = "", "verify-no-such-tenant"
_POWERS = {
    "rolsuper": "is a superuser",
    "rolbypassrls": "bypasses row-level security",
    "owns": "owns the entries",
}
_LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_SHARED = ("catalog_entries",)
"""Tables in which tenant '' is for everybody who has a tenant."""


async def check_access(connection: Any, report: Report) -> None:
    """Judge every service role, and whoever else of ours is connected."""
    database = await connection.fetchval(SQL["database"])
    granted = _read_grants()
    roles = await connection.fetch(SQL["service_roles"])
    for role in roles:
        named = f"role {role['rolname']}"
        for power, what in _POWERS.items():
            report.check("I8a")
            if role[power]:
                report.find("I8a", what, named)
        if role["rolsuper"]:
            continue
        own = granted.get(role["rolname"].removeprefix(f"{database}_"), set())
        for table, privilege in await connection.fetch(SQL["privileges"], role["oid"]):
            report.check("I8a")
            if table == "entries" and privilege in CHANGES:
                report.find("I8a", f"may {privilege} booked entries", named)
            elif (table, privilege) not in own:
                report.find(
                    "I8a", f"may {privilege}, which tables.md does not grant", f"{named}, table {table}"
                )
    if not roles:
        report.pass_over("I8a", f"there is no role named {database}_*")
    for (table,) in await connection.fetch(SQL["unprotected"]):
        report.find("I8", "row-level security is not enabled and forced", f"table {table}")
    tables = sorted(table for table, privilege in granted["api"] if privilege == "SELECT")
    await _look_as_api(connection, f"{database}_api", tables, report)


def _read_grants() -> dict[str, set[tuple[str, str]]]:
    """By role: the (table, privilege) that tables.md grants. Read as the document that it is."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLES.read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    granted: dict[str, set[tuple[str, str]]] = {role: set() for role in rows[0][3:]}
    for table, _, _, *cells in rows[2:]:
        for role, letters in zip(rows[0][3:], cells, strict=True):
            granted[role] |= {(table, _LETTERS[letter]) for letter in re.findall("[SIUD]", letters)}
    shown = re.findall(r"^-- name: (\w+)$", TEAM_ROWS.read_text("utf-8"), re.MULTILINE)
    granted[TEAM_READER] = {(table, "SELECT") for table in (*shown, *TEAM_VIEWS)}
    return granted


async def _look_as_api(connection: Any, role: str, tables: list[str], report: Report) -> None:
    """Read every table that api may read as api itself: without a tenant, as a stranger, as tenants."""
    tenants = [tenant for (tenant,) in await connection.fetch(SQL["tenants"])]
    tenants = tenants[:: -(-len(tenants) // TENANTS_LOOKED_AS_MAX) or 1]
    with_tenant = {table for (table,) in await connection.fetch(SQL["tables_with_tenant"])}
    try:
        async with connection.transaction():  # a savepoint of the snapshot that this runs in
            await connection.execute(SQL["act_as"].format(role=role))
            for tenant in (NO_TENANT, STRANGER, *tenants):
                await connection.execute(SQL["act_for"], tenant)
                for table in tables:
                    if table in with_tenant:
                        await _look_at(connection, table, tenant, report)
            await connection.execute(SQL["act_as_before"])
    except asyncpg.InsufficientPrivilegeError:
        report.pass_over("I8", f"what api sees (needs the database's owner, who may act as {role})")


async def _look_at(connection: Any, table: str, tenant: str, report: Report) -> None:
    shared = table in _SHARED and tenant != NO_TENANT
    visible = await connection.fetchval(SQL["strangers_row"].format(table=table), tenant, shared)
    report.check("I8")
    if visible is not None:
        who = f"with tenant {tenant!r}" if tenant else "without a tenant"
        report.find("I8", f"api {who} sees a row of tenant {visible!r}", f"table {table}")
