"""Tries a rule of loops on the dearest runs that are over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import asyncpg

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.loops import EndedRun, loops_among
from services.alerts.dry_runs.trial import SQL, RuleTrial
from services.alerts.loops.loops import UsualRuns
from spendmeter.platform.sql import load_sql

USUAL = load_sql(Path(__file__).parents[1] / "loops" / "loops.sql")["usual"]
RUNS_MAX = 5_000
USUAL_BEFORE = timedelta(days=7)
USUAL_ROWS_MAX = 20_000
NOTES = (
    "each run is judged by its whole, as if it had called evenly",
    "what is usual is of these days and the week before",
)


async def try_loops(trial: RuleTrial) -> list[WouldHaveFired]:
    """The runs that the rule would have told."""
    trial.notes.extend(NOTES)
    calls, amount = int(trial.rule.number("calls_min")), trial.rule.number("amount_min")
    async with trial.turn():
        rows = await trial.pool.fetch(
            SQL["ended_runs"], trial.tenant, trial.currency, trial.since, trial.until, calls, amount, RUNS_MAX
        )
    runs = [EndedRun(**row) for row in rows]
    workflows = sorted({run.workflow for run in runs})
    async with trial.turn():
        known = await trial.pool.fetch(
            USUAL, trial.tenant, workflows, trial.since - USUAL_BEFORE, trial.until, USUAL_ROWS_MAX
        )
    return loops_among(trial.rule, runs, {row["workflow"]: _usual(row) for row in known})


def _usual(row: asyncpg.Record) -> UsualRuns:
    return UsualRuns(**{name: row[name] for name in ("runs", "calls", "calls_a_minute", "with_outcome")})
