"""Remembers how far the book had come, about once a second: what `as_of` answers from.

A moment is a vector of offsets, read in one snapshot, so membership is never a matter of clocks. With it what
was recorded in another quarter of an hour than it happened in is added up by when: whoever asks takes that
from today's rollups, and reads entry by entry no more than a quarter of an hour.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.units import UNIT_PARTS
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "moments.sql", UNIT_PARTS)
INTERVAL_S = 1.0
AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.DataError)
"""Whatever lies in the book: moments wait, and the ledger goes on booking."""
OFFSETS_MAX = 5_000
"""Of a partition sorted in one transaction; a try that failed is followed by one of half as many."""
OFFSETS_MIN = 100
SECONDS_KEPT = timedelta(days=2)
MINUTES_KEPT = timedelta(days=35)
"""Younger moments stay as they were written; then the last of each minute, and after that of each hour."""
THIN_INTERVAL_S = 3600.0


@dataclass(kw_only=True, eq=False)
class Moments:
    """Writes moments for as long as `run` runs; where several workers run, one at a time does."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters = field(default_factory=Meters)
    offsets_max: int = OFFSETS_MAX

    def __post_init__(self) -> None:
        self._written_s = time.monotonic()
        self._thin_at_s = time.monotonic() + THIN_INTERVAL_S
        self._at_once = self.offsets_max

    async def run(self) -> None:
        """Remember until cancelled."""
        await keep_doing(self._look, "moments wait", every_s=INTERVAL_S, away=AWAY)

    async def _look(self) -> None:
        self._say_age()
        try:
            while not await self.remember():
                self._say_age()
        except CONNECTION_ERRORS:  # away, or it takes longer than a statement may
            self._at_once = max(OFFSETS_MIN, self._at_once // 2)
            raise
        self._at_once = self.offsets_max
        self._written_s = time.monotonic()
        if time.monotonic() >= self._thin_at_s:
            self._thin_at_s = time.monotonic() + THIN_INTERVAL_S
            await self.thin(datetime.now(UTC))

    def _say_age(self) -> None:
        self.meters.set("spendmeter.ledger.moment.age", time.monotonic() - self._written_s)

    async def remember(self, now: datetime | None = None) -> bool:
        """Sort what was booked since, and write the moment (`now`: None = by the database's clock, and never
        before the last one); False = there was too much, and is more."""
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"]):
                return True
            accounts = await connection.fetch(SQL["reach"], now)
            ends = [min(each["book_offset"], each["since"] + self._at_once) for each in accounts]
            is_whole = ends == [each["book_offset"] for each in accounts]
            await _sort(connection, accounts, ends, every=not is_whole)
            if is_whole:
                await _remember(connection, accounts)
            return is_whole

    async def thin(self, now: datetime) -> None:
        """Let moments go whose second, and later whose minute, nobody asks for any more."""
        await self.pool.execute(SQL["thin"], now - SECONDS_KEPT, now - MINUTES_KEPT)


async def _sort(connection: Any, accounts: Sequence[Any], ends: Sequence[int], *, every: bool) -> None:
    """`every`: also what lies in its quarter of an hour, since the moment may come in the next one."""
    at = accounts[0]["at"]
    moved = [(each, end) for each, end in zip(accounts, ends, strict=True) if end > each["since"]]
    if moved:
        stretches = [
            [each["partition"] for each, _ in moved],
            [each["begun_at"] for each, _ in moved],
            [each["ended_at"] for each, _ in moved],
            [each["since"] for each, _ in moved],
            [end for _, end in moved],
        ]
        await connection.execute(SQL["sort"], *stretches, at, every)
    if marks := [
        (each["partition"], each["account"], each["begun_at"], end)
        for each, end in zip(accounts, ends, strict=True)
        if each["is_new"] or end > each["since"]
    ]:
        await connection.execute(SQL["mark"], *map(list, zip(*marks, strict=True)), at)


async def _remember(connection: Any, accounts: Sequence[Any]) -> None:
    """Of each partition the account that is open now; they come in their order."""
    at, open_now = accounts[0]["at"], {each["partition"]: each for each in accounts}
    vector = (
        list(open_now),
        [each["account"] for each in open_now.values()],
        [each["book_offset"] for each in open_now.values()],
    )
    if await connection.execute(SQL["hold"], at, *vector) != "UPDATE 1":
        await connection.execute(SQL["remember"], at, *vector)
