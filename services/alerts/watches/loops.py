"""Looks at one tenant's runs that are under way, and acts on those that go round and round."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from services.alerts.incidents.incident import open_of
from services.alerts.incidents.withheld import MOSTLY
from services.alerts.loops.loops import (
    RUNS_MAX,
    WINDOW,
    LoopLook,
    RunningRun,
    RunReading,
    UsualRuns,
    place_of,
)
from services.alerts.loops.words import LoopWording
from services.alerts.scopes import MINUTE
from services.alerts.watches.look import Look, Rhythm
from spendmeter.book.reading import minutes_of
from spendmeter.contracts.money import EXACT
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "loops" / "loops.sql")
USUAL_AGE = timedelta(days=7)
ENDED_AGE = timedelta(minutes=30)
"""A run that has not called for so long has ended, and teaches what is usual."""
ENDED_MAX = 20_000
USUAL_S = 600.0
"""What is usual of a workflow is read again after so long."""


@dataclass(eq=False, kw_only=True)
class LoopWatch(Look):
    """A `Look` at runs."""

    of = "loops"
    rhythm = Rhythm(rest_s_max=15.0)
    _runs: dict[tuple[str, str], RunningRun] = field(default_factory=dict)
    _usual: dict[str, UsualRuns] = field(default_factory=dict)
    _usual_at_s: dict[str, float] = field(default_factory=dict)

    async def look(self, now: datetime) -> None:
        """Open what is a loop, renew what goes on, end what has stopped calling."""
        rules, currency = self.rules.of("loop"), self.rules.calendar.at(now).currency
        current = await self.shared.store.current(self.tenant, now)
        ours = open_of("loop", current)
        if not rules and not ours:
            return
        calls = min((int(rule.number("calls_min")) for rule in rules), default=1)
        amount = min((rule.number("amount_min") for rule in rules), default=0)
        rows = await self.rows(SQL["running"], now - 2 * WINDOW, currency, calls, amount, RUNS_MAX)
        self._take(rows, now)
        await self._learn_usual(now)
        look = LoopLook(
            tenant=self.tenant,
            now=now,
            currency=currency,
            rules=rules,
            runs=self._runs,
            usual=self._usual,
            with_outcome=await self._with_outcome(),
            folded_through=(await self.shared.complete.read()).folded,
            wording=self.words(LoopWording, now),
        )
        self.evaluated("loop", len(self._runs))
        new = [place_of(incident) for incident in look.proposals(current)]
        lying = {place: await self._lies_in(self._runs[place], currency, now) for place in new}
        await self.act(replace(look, lying=lying), current, ours)

    async def _lies_in(self, run: RunningRun, currency: str, now: datetime) -> dict[str, str]:
        """In which values of dimensions MOSTLY of the run's money lies, whatever else its workflow spent."""
        _, amount, seen = run.since(now)
        minutes = minutes_of(self.tenant, (now - seen).replace(second=0, microsecond=0), now + MINUTE)
        within = EXACT.multiply(MOSTLY, amount)
        outside = EXACT.subtract(amount, within)
        rows = await self.rows(SQL["lies_in"], *minutes[1:], currency, run.workflow, outside, within)
        return {row["name"]: row["value"] for row in rows}

    def _take(self, rows: Sequence[asyncpg.Record], now: datetime) -> None:
        """Remember the runs as they are, and forget those that do not call any more."""
        before, self._runs = self._runs, {}
        for row in rows:
            place = (row["workflow"], row["run"])
            known = before.get(place)
            run = RunningRun(
                run=row["run"],
                workflow=row["workflow"],
                first_at=row["first_at"],
                last_at=row["last_at"],
                provisional=row["provisional"],
            )
            if known is not None:
                run.readings = known.readings
            run.readings.append(RunReading(now, row["calls"], row["effective"]))
            self._runs[place] = run

    async def _learn_usual(self, now: datetime) -> None:
        """Of workflows whose runs are under way, how they usually go; a while ago is good enough."""
        asked = {workflow for workflow, _ in self._runs}
        at_s = time.monotonic()
        stale = sorted(each for each in asked if at_s - self._usual_at_s.get(each, -USUAL_S) >= USUAL_S)
        if not stale:
            return
        rows = await self.rows(SQL["usual"], stale, now - USUAL_AGE, now - ENDED_AGE, ENDED_MAX)
        kept = {each: usual for each, usual in self._usual.items() if each in asked}
        self._usual = kept | {
            row["workflow"]: UsualRuns(
                runs=row["runs"],
                calls=row["calls"],
                calls_a_minute=row["calls_a_minute"],
                with_outcome=row["with_outcome"],
            )
            for row in rows
        }
        read_at_s = self._usual_at_s | dict.fromkeys(stale, at_s)
        self._usual_at_s = {workflow: read_at_s[workflow] for workflow in asked}

    async def _with_outcome(self) -> frozenset[str]:
        if not self._runs:
            return frozenset()
        runs = [run for _, run in self._runs]
        rows = await self.shared.pool.fetch(SQL["with_outcome"], self.tenant, runs)
        return frozenset(row["run"] for row in rows)
