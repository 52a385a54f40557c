"""Keys by which bills come. What a bill says was spent at an hour was not seen at that hour: bursts are
looked for in live spend alone, and budgets count all of it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import asyncpg

from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("minutes.sql"))
READ_EVERY_S = 30.0
"""A key is made before its first import, and a bill is hardly ever about the minute in which it comes."""


class BillKeys:
    """`keys_of` a tenant; one for all watches of a worker, read for all of them at once."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._keys: dict[str, set[str]] = {}
        self._read_at_s = float("-inf")
        self._reading = asyncio.Lock()

    async def keys_of(self, tenant: str) -> Collection[str]:
        """The ids of the tenant's keys that send bills, and of operators'. Raises CONNECTION_ERRORS."""
        async with self._reading:
            if time.monotonic() - self._read_at_s >= READ_EVERY_S:
                found: defaultdict[str, set[str]] = defaultdict(set)
                for row in await self._pool.fetch(SQL["bill_keys"]):
                    found[row["tenant"]].add(row["key_id"])
                self._keys, self._read_at_s = dict(found), time.monotonic()
        return self._keys.get(tenant, set()) | self._keys.get(OPERATOR, set())
