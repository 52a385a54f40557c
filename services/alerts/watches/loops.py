"""Looks at one tenant's runs that are under way, and acts on those that go round and round."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from services.alerts.incidents.following import renew
from services.alerts.incidents.incident import Incident, is_due
from services.alerts.loops.loops import (
    RUNS_MAX,
    WINDOW,
    LoopLook,
    RunningRun,
    RunReading,
    UsualRuns,
)
from services.alerts.loops.words import LoopWording
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "loops" / "loops.sql")
USUAL_AGE = timedelta(days=7)
ENDED_AGE = timedelta(minutes=30)
"""A run that has not called for so long has ended, and teaches what is usual."""
ENDED_MAX = 20_000
USUAL_S = 600.0
"""What is usual of a workflow is read again after so long."""
RHYTHM = Rhythm(rest_s_max=15.0)


@dataclass(eq=False)
class LoopWatch:
    """A `Look` at runs."""

    tenant: str
    rules: TenantRules
    shared: Shared
    of: Pass = "loops"
    rhythm: Rhythm = RHYTHM
    _runs: dict[tuple[str, str], RunningRun] = field(default_factory=dict)
    _usual: dict[str, UsualRuns] = field(default_factory=dict)
    _usual_at_s: dict[str, float] = field(default_factory=dict)

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        self.rules = rules

    def changed(self, span: BucketSpan) -> None:
        """It reads what called lately anyway."""

    async def look(self, now: datetime) -> None:
        """Open what is a loop, renew what goes on, end what has stopped calling."""
        shared, rules = self.shared, self.rules.of("loop")
        terms = self.rules.calendar.at(now)
        current = await shared.store.current(self.tenant, now)
        ours = [one for one in current if one.kind == "loop" and one.state != "resolved"]
        if not rules and not ours:
            return
        calls = min((int(rule.number("calls_min")) for rule in rules), default=1)
        amount = min((rule.number("amount_min") for rule in rules), default=0)
        async with shared.turns.turn(self.tenant, self.of):
            rows = await shared.pool.fetch(
                SQL["running"], self.tenant, now - 2 * WINDOW, terms.currency, calls, amount, RUNS_MAX
            )
        self._take(rows, now)
        await self._learn_usual(now)
        look = LoopLook(
            tenant=self.tenant,
            now=now,
            currency=terms.currency,
            rules=rules,
            runs=self._runs,
            usual=self._usual,
            with_outcome=await self._with_outcome(),
            wording=LoopWording(zone=terms.zone, portal_url=shared.portal_url),
        )
        shared.meters.add("spendmeter.alerts.evaluations", len(self._runs), kind="loop")
        if look.proposals(current):
            await shared.store.open(self.tenant, now, look.proposals)
        for incident in ours:
            await self._follow(look, incident)

    async def _follow(self, look: LoopLook, incident: Incident) -> None:
        through = (await self.shared.complete.read()).folded
        ending = look.ending(incident, through) if through is not None else ""
        if ending or is_due(incident, look.now):
            await renew(self.shared.store, look.wording, incident, look.renewed(incident), ending)

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
        async with self.shared.turns.turn(self.tenant, self.of):
            rows = await self.shared.pool.fetch(
                SQL["usual"], self.tenant, stale, now - USUAL_AGE, now - ENDED_AGE, ENDED_MAX
            )
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
