"""The database's roles, grants and row-level security, made to equal contracts/tables.md at every migrate."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from spendmeter import contracts
from spendmeter.platform.sql import load_sql

SERVICE_ROLES = ("ledger", "corrector", "alerts", "api", "ingest", "reconciler", "reservations")
TEAM_READER = "api_team"
"""As whom api reads for a viewer of one team: no service of its own, and in no column of tables.md."""
ROLES = (*SERVICE_ROLES, TEAM_READER)
SQL = load_sql(Path(__file__).with_name("roles.sql"))
TEAM_ROWS = load_sql(Path(__file__).with_name("team_rows.sql"))
"""By table, which rows of its tenant a team's viewer sees."""
_PRIVILEGES = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}


@dataclass(frozen=True, kw_only=True)
class TableAccess:
    """One row of tables.md: who may do what, and whether rows belong to tenants."""

    table: str
    owner: str
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
            owner=cells["owner"],
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
    database = await connection.fetchval(SQL["database"])
    names = {role: role_name(database, role) for role in ROLES}
    for name in names.values():
        verb = "ALTER" if await connection.fetchval(SQL["role_exists"], name) else "CREATE"
        password = role_password(role_secret, name)
        await connection.execute(SQL["role"].format(verb=verb, role=name, password=password))
    everyone = _quoted(names.values())
    others = _quoted(names[role] for role in SERVICE_ROLES if role != "api")
    await connection.execute(SQL["functions"].format(database=database, everyone=everyone, **names))
    for access in read_tables():
        for role, letters in access.privileges.items():
            if letters:
                privileges = ", ".join(_PRIVILEGES[letter] for letter in letters)
                grant = SQL["grant"].format(privileges=privileges, table=access.table, role=names[role])
                await connection.execute(grant)
        if access.tenant_rows != "no":
            shared = "shared" in access.tenant_rows
            policies = SQL["policies"].format(
                table=access.table, api=names["api"], others=others, shared=shared
            )
            await connection.execute(policies)
    for table, rows in TEAM_ROWS.items():
        policy = SQL["team_policy"].format(table=table, role=names[TEAM_READER], rows=rows)
        await connection.execute(policy)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
