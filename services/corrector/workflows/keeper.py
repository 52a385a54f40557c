"""Keeps the moments of workflows: makes those of a day again when something of its runs has changed.

A day is made anew as a whole, from what stands in the tables, in one transaction with its mark: whatever came
late, was corrected, retracted or reversed, the moments say what the runs say now. A day of a million runs
takes seconds, so no more than a part of the time is spent on it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as dtime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from services.corrector.workflows.moments import DayMoments, RunDaySum, WorkflowVersion
from services.corrector.workflows.outcome_steps import SaidOutcome
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "moments.sql")
INTERVAL_S = 5.0
REST_SHARE = 4
"""After a look so many times as long as it took is waited."""
DUE_MAX = 20_000
RUNS_MAX = 2_000
"""Read at once."""
DAYS_MAX = 50
"""Made at a look."""
AGE_S_MAX = 300.0

_encode = msgspec.json.Encoder().encode


@dataclass(kw_only=True, eq=False)
class MomentsKeeper:
    """Keeps them for as long as `run` runs; several share the days."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.worked = Heartbeat("moments of workflows were looked after", AGE_S_MAX)

    async def run(self) -> None:
        """Keep them until cancelled."""
        await keep_doing(
            self._look_and_rest, "moments of workflows wait", every_s=INTERVAL_S, away=CONNECTION_ERRORS,
            beat=self.worked,
        )  # fmt: skip

    async def catch_up(self) -> int:
        """Make all days that are due; how many these were."""
        made = 0
        while await self.pool.fetchval(SQL["resolve"], DUE_MAX):
            pass
        while await self._make_one():
            made += 1
        return made

    async def _look_and_rest(self) -> None:
        began = self.clock()
        while await self.pool.fetchval(SQL["resolve"], DUE_MAX) == DUE_MAX:
            self.worked.beat()
        for _ in range(DAYS_MAX):
            if not await self._make_one():
                break
            self.worked.beat()
        self.meters.set("spendmeter.workflows.days_due", await self.pool.fetchval(SQL["waiting"]))
        await asyncio.sleep(min(REST_SHARE * (self.clock() - began), AGE_S_MAX / 3))

    async def _make_one(self) -> bool:
        """Whether there was a day to make."""
        async with self.pool.acquire() as connection, connection.transaction():
            due = await connection.fetchrow(SQL["take"])
            if due is None:
                return False
            tenant, day = due
            moments = await _read(connection, tenant, day)
            await connection.execute(SQL["clear"], tenant, day)
            for name, rows in _rows(tenant, moments).items():
                if rows:
                    await connection.execute(SQL[name], _encode(rows).decode())
        return True


async def _read(connection: Any, tenant: str, day: date) -> DayMoments:
    moments = DayMoments(day)
    last = ""
    while found := await connection.fetch(SQL["runs"], tenant, day, last, RUNS_MAX):
        names = [row["run"] for row in found]
        last = names[-1]
        rows, outcomes = defaultdict(list), defaultdict(list)
        for row in await connection.fetch(SQL["run_rows"], tenant, names):
            rows[row["run"]].append(RunDaySum(*row))
        for row in await connection.fetch(SQL["run_outcomes"], tenant, names):
            outcomes[row["run"]].append(_said(row))
        for run in names:
            moments.add_run(rows[run], outcomes[run])
    for row in await connection.fetch(SQL["without_run"], tenant, day):
        moments.add_without_run(RunDaySum(*row))
    await _read_outcomes_without_run(connection, tenant, moments)
    return moments


async def _read_outcomes_without_run(connection: Any, tenant: str, moments: DayMoments) -> None:
    at, about = datetime.combine(moments.day, dtime(), UTC), b""
    while found := await connection.fetch(
        SQL["outcomes_without_run"], tenant, moments.day, at, about, RUNS_MAX
    ):
        for row in found:
            moments.add_outcome_without_run(_said(row))
        at, about = max((row["at"], row["about"]) for row in found)


def _said(row: Mapping[str, Any]) -> SaidOutcome:
    said = {name: row[name] for name in _SAID}
    return SaidOutcome(**said, words=list(zip(row["times"], row["words"], strict=True)))


_SAID = "run workflow workflow_version name currency count value at accepted team".split()


def _rows(tenant: str, moments: DayMoments) -> dict[str, list[dict[str, Any]]]:
    """By statement what it adds."""
    days = [
        {**_of(tenant, flow, moments.day), "team": team, "currency": currency, **_fields(moment)}
        for (flow, team, currency), moment in moments.costs.items()
    ]
    steps = [
        {**_of(tenant, flow, moments.day), "team": team, **_fields(step)}
        for (flow, team, *_), step in moments.steps.items()
        if any(list(_fields(step).values())[3:])
    ]
    dear = [
        {**_of(tenant, flow, moments.day), "currency": currency, **_fields(run)}
        for flow, currency, run in moments.dear()
    ]
    return {"add_days": days, "add_steps": steps, "add_dear": dear}


def _of(tenant: str, flow: WorkflowVersion, day: date) -> dict[str, Any]:
    return {"tenant": tenant, "workflow": flow.workflow, "workflow_version": flow.version, "day": day}


def _fields(row: Any) -> dict[str, Any]:
    names: Iterable[str] = row.__struct_fields__
    return {name: getattr(row, name) for name in names}
