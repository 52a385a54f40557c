"""Reads one tenant's folded minutes: the open one at every look, and once a minute the hour to learn from."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.expectations import HISTORY_MINUTES, Learned
from services.alerts.bursts.learning import Explained, History, Learner
from services.alerts.bursts.minutes import COMBINATIONS_MAX, VALUES_MAX, Recent, spent_in
from services.alerts.bursts.season_reader import SeasonReader
from services.alerts.counting.counter_reader import NAMED_MAX, STATEMENT_S_MAX, STATEMENT_S_MIN, Turn
from services.alerts.scopes import MINUTE
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("minutes.sql"))
HISTORY_AGE_MAX = timedelta(days=7)
RE_READ_AGE_S = 5.0
"""The minute that is just over is read again this often, and at once when a total names it."""
UNSETTLED_MINUTES = 2
"""The newest minutes of the history are read again when the next one begins: their last events came later."""
MINUTES_AT_ONCE_MAX = 32


@dataclass(kw_only=True)
class _Read:
    folded: str
    at_s: float


@dataclass(eq=False)
class MinuteReader:
    """One tenant's `recent` and `learned`, true as of the last `look`, which raises CONNECTION_ERRORS."""

    pool: asyncpg.Pool[asyncpg.Record]
    tenant: str
    currency: str
    """What it reads; minutes in another one teach nothing of this one."""
    turn: Turn
    learner: Learner
    bill_keys: BillKeys | None = None
    """By which keys bills come, in which it looks for no bursts; None = by none."""
    seasons: SeasonReader | None = None
    """Says what is usual at this hour; None = minutes alone are asked."""

    def __post_init__(self) -> None:
        self.recent = Recent()
        self.learned: Learned
        self._known: dict[datetime, _Read] = {}
        self._named: set[BucketSpan] = set()
        self._at_once = 4
        self._learned_in: datetime | None = None
        self._rerating = False
        self._tested_since: datetime
        self._bill_keys: Collection[str] = ()

    def changed(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""
        if len(self._named) < NAMED_MAX:
            self._named.add(span)

    async def look(self, now: datetime, *, rerating: bool = False) -> None:
        """Bring the minutes under test up to `now`, and what was learned to the open minute; `rerating`:
        whether a job is correcting what the tenant has spent."""
        open_minute = now.replace(second=0, microsecond=0)
        named, self._named = self._named, set()
        settled, self._rerating = self._rerating and not rerating, rerating
        for minute, read in self._known.items():
            if settled or any(span.start <= minute < span.end for span in named):
                read.at_s = float("-inf")
        self._tested_since = open_minute - MINUTE
        if self._learned_in != open_minute:
            if self.bill_keys is not None:
                self._bill_keys = sorted(await self.bill_keys.keys_of(self.tenant))
            await self._learn(now, open_minute)
        just_over = self._known.get(self._tested_since)
        if just_over is None or time.monotonic() - just_over.at_s >= RE_READ_AGE_S:
            await self._read([self._tested_since])
        await self._read([open_minute])
        tested = [self._tested_since, open_minute]
        self.recent.look(
            [
                row
                for minute in tested
                if minute >= self.learned.until and minute in self._known
                for row in spent_in(minute, self._known[minute].folded)
            ],
            now,
        )

    async def _learn(self, now: datetime, open_minute: datetime) -> None:
        async with self.turn():
            rows = await self.pool.fetch(
                SQL["active_minutes"],
                self.tenant,
                open_minute,
                open_minute - HISTORY_AGE_MAX,
                HISTORY_MINUTES + 2,
                self._bill_keys,
            )
        active = [row["bucket"] for row in rows]
        self._known = {minute: self._known[minute] for minute in active if minute in self._known}
        stale = [minute for minute, read in self._known.items() if read.at_s == float("-inf")]
        missing = set(active) - self._known.keys() | set(stale) | set(active[-UNSETTLED_MINUTES:])
        await self._read(sorted(missing))
        async with self.turn():
            first_seen = await self.pool.fetchval(SQL["first_seen"], self.tenant)
            explained = await self.pool.fetch(
                SQL["explained"], self.tenant, active[0] if active else open_minute, self.currency
            )
        season = await self.seasons.read(now) if self.seasons is not None else None
        self.learned = await self.learner.learn(
            History(
                minutes=[(minute, self._known[minute].folded) for minute in active if minute in self._known],
                explained=[Explained(**row) for row in explained],
                first_seen=first_seen,
                now=now,
                season=season,
            )
        )
        self._learned_in = open_minute

    async def _read(self, minutes: Iterable[datetime]) -> None:
        """Read these minutes, a few at a time: as many as a statement of a bounded time takes."""
        left = list(minutes)
        while left:
            chunk, left = left[: self._at_once], left[self._at_once :]
            async with self.turn():
                began = time.monotonic()
                try:
                    rows = await self.pool.fetch(
                        SQL["fold"], self.tenant, self.currency, chunk, COMBINATIONS_MAX, VALUES_MAX,
                        self._tested_since, self._rerating, self._bill_keys,
                    )  # fmt: skip
                except (TimeoutError, asyncpg.QueryCanceledError):
                    self._at_once = 1
                    raise
                took_s = time.monotonic() - began
            if took_s < STATEMENT_S_MIN:
                self._at_once = min(MINUTES_AT_ONCE_MAX, self._at_once * 2)
            elif took_s > STATEMENT_S_MAX:
                self._at_once = max(1, self._at_once // 2)
            for minute in chunk:
                self._known.pop(minute, None)
            self._known |= {row["bucket"]: _Read(folded=row["spent"], at_s=began) for row in rows}
