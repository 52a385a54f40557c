"""What the ledger's watch asks of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg

from services.ledger.watch import SQL
from spendmeter.platform.roles import role_url
from tests.databases import SECRET

LOCK = 4711
FREED_S_MAX = 30


async def nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_ledger_frozen_inside_copy_is_ended_by_one_that_is_awake_and_an_idle_one_is_not(
    ledger: asyncpg.Connection, database: str
) -> None:
    frozen, idle = [await asyncpg.connect(role_url(database, "ledger", SECRET)) for _ in range(2)]
    await frozen.execute("CREATE TEMP TABLE copied (value int)")
    transaction = frozen.transaction()
    await transaction.start()
    await frozen.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    copying = asyncio.create_task(frozen.copy_to_table("copied", source=nothing()))
    async with asyncio.timeout(FREED_S_MAX):
        while not await ledger.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
            await ledger.execute(SQL["end_frozen"])
            await asyncio.sleep(0.2)
    assert await idle.fetchval("SELECT 1") == 1
    copying.cancel()
    await asyncio.gather(copying, return_exceptions=True)
    frozen.terminate()
    await idle.close()
