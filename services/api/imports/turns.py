"""The database for work beside the requests: where people would be told to come back, it waits its turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from services.api.database.shares import AllBusy, TooMuch
from services.api.database.transactions import Database, TenantConnection
from services.api.http.problems import RETRY_AFTER_S

PATIENCE_S = 300.0
"""A tenant whose own questions take all of its share for longer has an import that fails."""
WAIT_S_MAX = 10.0


class PatientDatabase:
    """One tenant's transactions. Each raises TooMuch or AllBusy after PATIENCE_S, and CONNECTION_ERRORS."""

    def __init__(
        self,
        database: Database,
        tenant: str,
        by: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._by = by
        self._sleep = sleep

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[TenantConnection]:
        """As `Database.reading`."""
        async with AsyncExitStack() as stack:
            yield await self._entered(stack, self._database.reading)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[TenantConnection]:
        """As `Database.writing`."""
        async with AsyncExitStack() as stack:
            yield await self._entered(stack, partial(self._database.writing, by=self._by))

    async def _entered(
        self,
        stack: AsyncExitStack,
        transaction: Callable[[str], AbstractAsyncContextManager[TenantConnection]],
    ) -> TenantConnection:
        waited_s = 0.0
        while True:
            try:
                return await stack.enter_async_context(transaction(self._tenant))
            except (TooMuch, AllBusy) as refusal:
                if waited_s >= PATIENCE_S:
                    raise
                wait_s = min(WAIT_S_MAX, refusal.retry_after_s or RETRY_AFTER_S)
            await self._sleep(wait_s)
            waited_s += wait_s
