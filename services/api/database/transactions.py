"""The database as api may see it: one transaction, one tenant; without a tenant nothing is visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec
from fastapi import Request

from services.api.database.shares import CONNECTIONS_MAX, Shares
from services.api.http.problems import HttpRefusal
from spendmeter.book.reading import hold_minutes
from spendmeter.platform.sql import load_sql

OWN_CONNECTIONS = 2
"""For what api does for nobody in particular: keys, upkeep, the catalog, an operator's counts."""
POOL_CONNECTIONS_MAX = CONNECTIONS_MAX + OWN_CONNECTIONS
ACQUIRE_TIMEOUT_S = 10
STATEMENT_TIMEOUT = "15s"
SQL = load_sql(Path(__file__).with_name("transactions.sql"))
NOBODY, EVERY_TEAM = "", ""
ITSELF = "api"
"""Who makes a change that nobody asked for just now."""

TenantConnection = Any
ConnectionPool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Onlooker(NamedTuple):
    """Whose rows somebody is shown: a tenant's, or of them one team's alone. What was answered to one
    onlooker is kept for equal ones only."""

    tenant: str
    team: str
    """EVERY_TEAM = all of them."""


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

    def __init__(self, pool: ConnectionPool, team_pool: ConnectionPool | None = None) -> None:
        """`team_pool`: of the role that sees one team; None = viewers of one team are shown nothing."""
        self._pool, self._team_pool = pool, team_pool
        self._shares = Shares()
        self._acts = Counter[str]()

    @asynccontextmanager
    async def reading(
        self, tenant: str, share: str = "", *, spend: bool = False
    ) -> AsyncIterator[TenantConnection]:
        """Statements that all see the same instant, and of tenants' rows `tenant`'s alone. What a tenant asks
        that is nobody's in particular is for '', and takes its turn in the `share` of who asks. `spend`: they
        read what was spent (`spendmeter/book/reading.py`), which takes long.

        Raises TooMuch and AllBusy; CONNECTION_ERRORS; QueryCanceledError for a statement over
        STATEMENT_TIMEOUT.
        """
        turn = self._turn(tenant or share, long=spend)
        async with turn, _one_instant(self._pool, spend=spend) as connection:
            await connection.execute(SQL["act_for"], tenant, STATEMENT_TIMEOUT, NOBODY, EVERY_TEAM)
            yield connection

    @asynccontextmanager
    async def seen_by(self, onlooker: Onlooker, *, spend: bool = False) -> AsyncIterator[TenantConnection]:
        """The same of what an onlooker sees. Of one team: as another role, which has no letter but on what
        may be seen of one, and there sees its rows alone, whatever is asked (docs/decisions/teams.md).

        Raises what `reading` raises, and HttpRefusal (503) where this installation has no such role."""
        if onlooker.team == EVERY_TEAM:
            async with self.reading(onlooker.tenant, spend=spend) as connection:
                yield connection
            return
        if self._team_pool is None:
            raise HttpRefusal(
                503, "Not available", "nothing is shown by team here: api lacks SPENDMETER_TEAM_DATABASE_URL"
            )
        turn = self._turn(onlooker.tenant, long=spend)
        async with turn, _one_instant(self._team_pool, spend=spend) as connection:
            await connection.execute(
                SQL["act_for"], onlooker.tenant, STATEMENT_TIMEOUT, NOBODY, onlooker.team
            )
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
            await connection.execute(SQL["act_for"], tenant, STATEMENT_TIMEOUT, by, EVERY_TEAM)
            yield connection
        self._acts[tenant] += 1

    def acts(self, tenant: str) -> int:
        """How many changes of this process for the tenant have become visible."""
        return self._acts[tenant]

    def _turn(self, tenant: str, *, long: bool = False) -> AbstractAsyncContextManager[None]:
        return self._shares.turn(tenant, long=long) if tenant else nullcontext()


@asynccontextmanager
async def _one_instant(pool: ConnectionPool, *, spend: bool) -> AsyncIterator[TenantConnection]:
    async with (
        pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        if spend:
            await hold_minutes(connection)
        yield connection


def database_of(request: Request) -> Database:
    """The process's."""
    database: Database = request.app.state.database
    return database
