"""The database as api may see it: one transaction, one tenant; without a tenant nothing is visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from fastapi import Request

from services.api.database.shares import CONNECTIONS_MAX, Shares
from spendmeter.book.reading import hold_minutes
from spendmeter.platform.sql import load_sql

OWN_CONNECTIONS = 2
"""For what api does for nobody in particular: keys, upkeep, the catalog, an operator's counts."""
POOL_CONNECTIONS_MAX = CONNECTIONS_MAX + OWN_CONNECTIONS
ACQUIRE_TIMEOUT_S = 10
STATEMENT_TIMEOUT = "15s"
SQL = load_sql(Path(__file__).with_name("transactions.sql"))
NOBODY = ""
ITSELF = "api"
"""Who makes a change that nobody asked for just now."""

TenantConnection = Any


async def prepare(connection: TenantConnection) -> None:
    """JSON columns as what they hold; once a connection."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
        )


class Database:
    """Hands out transactions that act for one tenant, in its share, or for none ('')."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._shares = Shares()
        self._acts = Counter[str]()

    @asynccontextmanager
    async def reading(
        self, tenant: str, share: str = "", *, spend: bool = False
    ) -> AsyncIterator[TenantConnection]:
        """Statements that all see the same instant, and of tenants' rows `tenant`'s alone. What a tenant asks
        that is nobody's in particular is for '', and takes its turn in the `share` of who asks. `spend`: they
        read what was spent (`spendmeter/book/reading.py`).

        Raises TooMuch and AllBusy; CONNECTION_ERRORS; QueryCanceledError for a statement over
        STATEMENT_TIMEOUT.
        """
        async with (
            self._turn(tenant or share),
            self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            if spend:
                await hold_minutes(connection)
            await connection.execute(SQL["act_for"], tenant, STATEMENT_TIMEOUT, NOBODY)
            yield connection

    @asynccontextmanager
    async def writing(
        self, tenant: str, share: str = "", *, by: str, unasked: bool = False
    ) -> AsyncIterator[TenantConnection]:
        """The same for changes, which see what others have committed meanwhile. `by`: who makes them, as the
        audit log will say. `unasked`: nobody of the tenant asks for it just now, so it takes none of its
        share."""
        async with (
            nullcontext() if unasked else self._turn(tenant or share),
            self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
            connection.transaction(),
        ):
            await connection.execute(SQL["act_for"], tenant, STATEMENT_TIMEOUT, by)
            yield connection
        self._acts[tenant] += 1

    def acts(self, tenant: str) -> int:
        """How many changes of this process for the tenant have become visible."""
        return self._acts[tenant]

    def _turn(self, tenant: str) -> AbstractAsyncContextManager[None]:
        return self._shares.turn(tenant) if tenant else nullcontext()


def database_of(request: Request) -> Database:
    """The process's."""
    database: Database = request.app.state.database
    return database
