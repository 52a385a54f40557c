"""Closes the periods that somebody asked to close: waits for the barrier, and writes down what they have.

The corrector does, for it adds up what it books of closed periods by the same rules, and one process of it is
always at work. Each step is committed by itself and found again after any death; several may run.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.book.timelines import read_timelines
from spendmeter.contracts.periods import add_months
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("sql") / "closings.sql")
INTERVAL_S = 1.0
AGE_S_MAX = 60.0
LONG = timedelta(seconds=30)
"""A booking lasts a fraction of a second, and a frozen session half a minute."""
AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.SerializationError)


class ClosingsKeeper:
    """Closes for as long as `run` runs."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._told_s = 0.0
        self.worked = Heartbeat("closings of periods were looked after", AGE_S_MAX)

    async def run(self) -> None:
        """Close until cancelled."""
        await keep_doing(
            self.look, "closings wait", every_s=INTERVAL_S, away=AWAY, beat=self.worked
        )  # fmt: skip

    async def look(self) -> int:
        """Go on with all closings as far as they can; how many periods were closed. One that could not be
        keeps none of the others waiting, and is raised at the end."""
        async with self._pool.acquire() as connection:
            await connection.execute(SQL["begin"])
            waiting = await connection.fetch(SQL["waiting"])
        closed, failed = 0, None
        for each in waiting:
            if each["passed"]:
                try:
                    closed += await self._close(each["tenant"], each["period"], each["number"])
                except AWAY as error:
                    failed = error
            elif datetime.now(UTC) - each["begun_at"] > LONG:
                self._tell(each)
        await self._pool.execute(SQL["name_moments"])
        if failed is not None:
            raise failed
        return closed

    async def _close(self, tenant: str, period: date, number: int) -> bool:
        """One whose barrier has passed: sums and state in one transaction, of one instant of the book."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            await hold_minutes(connection)
            if await connection.execute(SQL["close"], tenant, period, number) != "UPDATE 1":
                return False
            for row in await read_sums(connection, tenant, period):
                await connection.execute(SQL["put_sums"], tenant, period, number, *row)
        log().info("a period is closed", tenant=tenant, period=str(period), number=number)
        return True

    def _tell(self, each: Any) -> None:
        if time.monotonic() - self._told_s > LONG.total_seconds():
            self._told_s = time.monotonic()
            log().warning(
                "a period is not closed yet: a transaction from before it was asked for is not over",
                tenant=each["tenant"],
                period=str(each["period"]),
            )


async def read_sums(connection: Any, tenant: str, period: date) -> list[Any]:
    """(currency, events, list, contracted, effective) of what a period has, in the transaction's snapshot."""
    timeline = (await read_timelines(connection, [tenant]))[tenant]
    edges = [timeline.midnight(period), timeline.midnight(add_months(period, 1))]
    spent = await spent_in(connection, tenant, edges, timeline)
    rows: list[Any] = await connection.fetch(SQL["sums"], *spent, *edges, period)
    return rows
