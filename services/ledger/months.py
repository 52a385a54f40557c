"""Keeps parts of the book for the months ahead: an event of a month that has none is not booked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncpg

from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("sql") / "months.sql")
AHEAD_DAYS = 366
INTERVAL_S = 24 * 3600.0
AHEAD_DAYS_MIN = 35
"""Below this somebody must look: nobody has made a month for most of a year."""


@dataclass(kw_only=True, eq=False)
class Months:
    """Keeps months for as long as `run` runs; any number of workers may."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters

    async def run(self) -> None:
        """Make months until cancelled."""
        await keep_doing(self.look, "months wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS)

    async def look(self) -> None:
        """Make what is missing of the next twelve months, and say how far they reach."""
        async with self.pool.acquire() as connection:
            try:
                await connection.execute(SQL["make"], AHEAD_DAYS)
            finally:
                ahead_days = await connection.fetchval(SQL["ahead_days"])
                self.meters.set("spendmeter.ledger.months.ahead", ahead_days)
                if ahead_days < AHEAD_DAYS_MIN:
                    log().error("the months of the book run out", ahead_days=ahead_days)
