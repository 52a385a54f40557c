"""Brings a database to today's schema: create it, migrate it, grant what tables.md says. Repeatable."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pogo_core.util.migrate import apply

from spendmeter.contracts.units import LATER_UNITS, UNITS
from spendmeter.platform.audited import apply_audit
from spendmeter.platform.roles import apply_roles
from spendmeter.platform.sql import load_sql

MIGRATIONS = Path(__file__).with_name("migrations")
SQL = load_sql(Path(__file__).with_name("migrate.sql"))
_LOCK = 0x5BE4D
_STATEMENT_S_MAX = 4 * 3600
"""A migration may write a large table anew."""


async def migrate(owner_url: str, role_secret: str) -> None:
    """Create the database when it is missing, apply what it lacks, and set roles, grants, policies and
    what is audited."""
    await _create_database(owner_url)
    connection = await asyncpg.connect(owner_url, command_timeout=_STATEMENT_S_MAX)
    try:
        await connection.execute(SQL["lock"], _LOCK)
        await apply(connection, MIGRATIONS, schema_name="public")
        async with connection.transaction():
            await apply_roles(connection, role_secret)
            await apply_audit(connection)
            await connection.execute(SQL["make_minutes"])
            await connection.execute(SQL["make_months"])
            await connection.execute(SQL["register_units"], *_units())
    finally:
        await connection.close()


def _units() -> tuple[list[str], list[datetime]]:
    """Each, and from which receipt on it is one."""
    always = datetime.min.replace(year=1970, tzinfo=UTC)
    return list(UNITS), [LATER_UNITS.get(unit, always) for unit in UNITS]


async def _create_database(owner_url: str) -> None:
    try:
        await (await asyncpg.connect(owner_url, timeout=60)).close()
        return
    except asyncpg.InvalidCatalogNameError:
        parts = urlsplit(owner_url)
    maintenance = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")), timeout=60)
    try:
        await maintenance.execute(SQL["create_database"].format(database=parts.path.lstrip("/")))
    except asyncpg.DuplicateDatabaseError:
        pass  # another migrator was faster
    finally:
        await maintenance.close()
