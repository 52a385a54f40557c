"""Reads a window of the topic, and the rows of the book that belong to it, in one snapshot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from services.reconciler.catalog import CatalogReader
from services.reconciler.corrections import judge_corrections
from services.reconciler.put_away import kept_from
from services.reconciler.window import Judged, OriginAccount, WindowRows, judge_window
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import BookedEntry, KnownSeries, SetAside
from spendmeter.verify.topic import TopicReader

_ENTRY = len(BookedEntry._fields)


@dataclass(kw_only=True)
class WindowReader:
    """One pass over the book: it has a reader of the topic and a memory of series of its own."""

    pool: asyncpg.Pool[asyncpg.Record]
    topic: TopicReader
    catalog: CatalogReader = field(default_factory=CatalogReader)

    def __post_init__(self) -> None:
        self._series = KnownSeries(self.pool)

    async def judge(self, account: OriginAccount, opened_at: datetime, begin: int, end: int) -> Judged:
        """What is wrong with offsets [begin, end) of a partition, which the book has passed."""
        await self.topic.enter(account.partition, max(begin, account.begins), end)
        records = await self.topic.take(end)
        async with _snapshot(self.pool) as connection:
            await self.catalog.renew(connection)
            kept = await kept_from(connection, account.partition, opened_at, end)
            found = await connection.fetch(SQL["entries_within"], account.partition, begin, end, opened_at)
            asked = (account.partition, begin, end, account.origin_topic)
            set_aside = [
                SetAside._make(row) for row in await connection.fetch(SQL["unbooked_within"], *asked)
            ]
        records = [record for record in records if record[0] >= kept]
        set_aside = [row for row in set_aside if row.origin_offset >= kept]
        entries = [BookedEntry._make(tuple(row)[:_ENTRY]) for row in found]
        await self._series.learn(entries)
        rows = WindowRows(
            account=account,
            records=records,
            entries=entries,
            claims=[_claim(row) for row in found],
            set_aside=set_aside,
            series=self._series.known,
        )
        return judge_window(rows, self.catalog)

    async def judge_corrections(self, begin: int, end: int) -> Judged:
        """What is wrong with the entries that the corrector has numbered [begin, end)."""
        async with _snapshot(self.pool) as connection:
            await self.catalog.renew(connection)
            return await judge_corrections(connection, self.catalog, self._series, begin, end)


def _claim(row: Any) -> tuple[int, int] | None:
    partition, offset = row["claimed_partition"], row["claimed_offset"]
    return None if partition is None else (partition, offset)


@asynccontextmanager
async def _snapshot(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Any]:
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection
