"""Databases of tests: migrated once a run, copied for each room, and emptied before each test."""

from __future__ import annotations

import asyncpg
from pogo_core.util.migrate import apply

from spendmeter.platform.migrate import MIGRATIONS, migrate
from tests.stack import own_database

SECRET = "test"
"""Of the roles of every such database."""
_MIGRATED = "migrated"
_LOCK = 0x7E57
_IS_MIGRATED = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)"
_HOLDING = """
WITH named AS (SELECT * FROM unnest($1::text[]::regclass[]) AS named (id)),
    parts AS (SELECT id FROM named UNION SELECT relid FROM named, pg_partition_tree(id))
SELECT id::text FROM parts JOIN pg_class ON oid = id WHERE relkind = 'r' AND pg_relation_size(id) > 0
"""


async def migrated_database(owner_url: str, whose: str) -> str:
    """The owner's URL of a new database as `migrate` makes one. Thirty migrations and the days of the minutes take
    seconds, a copy of them does not; what is the database's own, its roles and their grants, `migrate` adds to it."""
    url = own_database(owner_url, whose)
    maintenance = await asyncpg.connect(owner_url)
    try:
        await maintenance.execute(f"SELECT pg_advisory_lock({_LOCK})")
        if not await maintenance.fetchval(_IS_MIGRATED, _MIGRATED):
            await _migrate_once(maintenance, owner_url)
        await maintenance.execute(f'CREATE DATABASE "{url.rpartition("/")[2]}" TEMPLATE {_MIGRATED}')
    finally:
        await maintenance.close()
    await migrate(url, SECRET)
    return url


async def _migrate_once(maintenance: asyncpg.Connection, owner_url: str) -> None:
    await maintenance.execute(f"DROP DATABASE IF EXISTS {_MIGRATED}")  # left half made
    await maintenance.execute(f"CREATE DATABASE {_MIGRATED}")
    connection = await asyncpg.connect(f"{owner_url.rpartition('/')[0]}/{_MIGRATED}", command_timeout=300)
    try:
        await apply(connection, MIGRATIONS, schema_name="public")
    finally:
        await connection.close()
    await maintenance.execute(f"ALTER DATABASE {_MIGRATED} IS_TEMPLATE true")


async def empty(owner: asyncpg.Connection, tables: str) -> None:
    """What `TRUNCATE {tables} CASCADE` does, with names between commas, done to what holds anything: of minutes there
    is a part for each of 44 days, and to truncate one makes five files anew, whether it held a row or not."""
    names = [name.strip() for name in tables.split(",")]
    if holding := [name for (name,) in await owner.fetch(_HOLDING, names)]:
        await owner.execute(f"TRUNCATE {', '.join(holding)} CASCADE")
