"""Keeps the minutes: parts for the days ahead are made, and days that have been kept for long enough dropped.

A day goes in three steps, and whatever interrupts them, the next try goes on: it is let go, so that readers
ask hours and days; its minutes are frozen into these (`freezing.py`), and with them what came late for days
before; then its part is dropped. What is booked late meanwhile stays, as a minute.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from services.ledger.freezing import SQL, STATEMENT_S_MAX, Reached, freeze
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log

AHEAD_DAYS = 7
INTERVAL_S = 60.0
DROP_INTERVAL_S = 600.0
"""A try takes minutes of a busy day, and keeps readers and bookings waiting for 200 ms at most."""
FREEZINGS_MAX = 3
"""Of a day in one try: so often more may have come meanwhile than is moved."""


@dataclass(kw_only=True, eq=False)
class MinuteDays:
    """Keeps minutes for `kept_days` for as long as `run` runs; any number of workers may."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    kept_days: int
    _reached: Reached = field(default_factory=Reached)

    def __post_init__(self) -> None:
        self._drop_at_s = time.monotonic() + DROP_INTERVAL_S

    async def run(self) -> None:
        """Make and drop until cancelled."""
        await keep_doing(self._look, "days of minutes wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def _look(self) -> None:
        now = datetime.now(UTC)
        await self.make_ahead(now)
        if time.monotonic() >= self._drop_at_s:
            self._drop_at_s = time.monotonic() + DROP_INTERVAL_S  # however this ends
            if await self.drop_day(now):  # the next look may drop another
                self._drop_at_s = time.monotonic()

    async def make_ahead(self, now: datetime) -> None:
        """Make a part for each of the next days: an event whose day has none is not booked."""
        async with self.pool.acquire() as connection:
            await connection.execute(SQL["make"], AHEAD_DAYS)
            [standing] = await connection.fetch(SQL["standing"], self._kept_from(now))
        self.meters.set("spendmeter.ledger.minutes.ahead", standing["ahead"])
        self.meters.set("spendmeter.ledger.minutes.over", standing["over"])

    async def drop_day(self, now: datetime) -> bool:
        """Drop the oldest day if it is due; whether it was. Raises CONNECTION_ERRORS, also where somebody
        reads minutes meanwhile: what is frozen by then stays so, and the next try goes on."""
        until = await self.pool.fetchval(SQL["next"], self._kept_from(now))
        if until is None:
            return False
        await self._alone("let_go", until)
        await self._freeze_and_drop(until)
        log().info("minutes dropped", before=until.isoformat())
        return True

    async def _freeze_and_drop(self, until: datetime) -> None:
        for freezings_left in reversed(range(FREEZINGS_MAX)):
            await freeze(self.pool, until, self._reached)
            try:
                await self._alone("drop", until)
                return
            except asyncpg.SerializationError:  # too much was booked meanwhile
                if not freezings_left:
                    raise

    async def _alone(self, step: str, until: datetime) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["time_limit"])
            await connection.execute(SQL["alone"], timeout=STATEMENT_S_MAX)
            await connection.execute(SQL[step], until, timeout=STATEMENT_S_MAX)

    def _kept_from(self, now: datetime) -> datetime:
        return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self.kept_days)
