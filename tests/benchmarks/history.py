"""A book with months behind it, made by SQL: what benchmarks share that read one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg

from services.ledger.roller import Roller
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("history.sql"))


async def book_new(owner: asyncpg.Connection, tenant: str) -> None:
    """What stands in `new`, as the ledger books it: identities, entries, minutes and marks."""
    await owner.execute(SQL["identities"])
    for name in ("entries", "minutes", "touch"):
        await owner.execute(SQL[name], tenant)


async def roll_up(owner_url: str, owner: asyncpg.Connection) -> float:
    """Roll up all that is over, with the ledger's own code; how many seconds that took."""
    began_s = time.monotonic()
    async with asyncpg.create_pool(owner_url, min_size=1, max_size=2, command_timeout=1_800) as pool:
        roller = Roller(pool=pool, meters=Meters())
        while await owner.fetchval(SQL["left"]):
            if not await roller.roll_up():
                await asyncio.sleep(0.2)  # the ledger is at it
    await owner.execute("VACUUM ANALYZE rollups")
    return time.monotonic() - began_s
