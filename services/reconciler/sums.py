"""Holds rollups against the entries that they are sums of: minutes as they close, and all of them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg

from services.reconciler.catalog import SQL
from services.reconciler.findings import findings_of, new_report
from services.reconciler.proof import Proof
from spendmeter.verify.report import Report
from spendmeter.verify.rollups import check_larger, check_minutes

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
EVENTS_MAX = 20_000
"""Events of the minutes that are compared in one statement, where a single minute has not more; and of a week
whose larger rollups are."""

SumsSpan = tuple[datetime, datetime]
EventsByMinute = Sequence[tuple[datetime, int]]
"""(minute, events), in order."""


def pieces(minutes: EventsByMinute, since: datetime, until: datetime) -> list[SumsSpan]:
    """[since, until) in pieces of EVENTS_MAX events, where a minute has not more. Pure."""
    found: list[SumsSpan] = []
    begin, held = since, 0
    for minute, events in minutes:
        if minute > begin and held + events > EVENTS_MAX:
            found.append((begin, minute))
            begin, held = minute, 0
        held += events
    found.append((begin, until))
    return found


def larger_spans(minutes: EventsByMinute, since: datetime, until: datetime) -> list[SumsSpan]:
    """[since, until) by days, or as a whole where it has few events. Pure."""
    if sum(events for _, events in minutes) <= EVENTS_MAX:
        return [(since, until)]
    days = [since]
    while days[-1] + DAY < until:
        days.append(days[-1] + DAY)
    return list(pairwise([*days, until]))


@dataclass(kw_only=True, eq=False)
class SumsProof:
    """Compares by the statements of `spendmeter/verify`, each piece in one snapshot."""

    pool: asyncpg.Pool[asyncpg.Record]
    proof: Proof
    _minutes_until: datetime | None = None

    async def follow(self, now: datetime) -> None:
        """Compare the minutes that have closed since."""
        until = now.replace(second=0, microsecond=0)
        since, self._minutes_until = self._minutes_until or until - HOUR, until
        if since < until:
            for piece in pieces(await self.counted(since, until), since, until):
                await self.minutes(*piece)

    async def first(self) -> datetime | None:
        """From when on there is something to compare."""
        found: datetime | None = await self.pool.fetchval(SQL["first_minute"])
        return found

    async def counted(self, since: datetime, until: datetime) -> EventsByMinute:
        """How many events each minute has, by its rollups."""
        return [(row["bucket"], row["events"]) for row in await self.pool.fetch(SQL["spans"], since, until)]

    async def minutes(self, since: datetime, until: datetime) -> None:
        """Compare the rollups of minutes with the entries."""
        report = new_report()
        async with self.pool.acquire() as connection, _snapshot(connection):
            await check_minutes(connection, since, until, report)
        await self._note(report)

    async def larger(self, since: datetime, until: datetime) -> None:
        """Compare the larger rollups that begin in [since, until) with those below them."""
        report = new_report()
        async with self.pool.acquire() as connection, _snapshot(connection):
            await check_larger(connection, since, until, report)
        await self._note(report)

    async def _note(self, report: Report) -> None:
        # verify's names of rollups begin with their tenant
        await self.proof.note(list(findings_of(report, lambda row: row.split(" ", 1)[0])))


def _snapshot(connection: Any) -> Any:
    return connection.transaction(isolation="repeatable_read", readonly=True)
