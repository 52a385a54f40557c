"""Looks at one tenant's budgets whose periods are over: what is booked late may cross a threshold after
all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from services.alerts.budgets.budgets import trouble
from services.alerts.budgets.late import (
    LATE_MAX,
    ToldPeriod,
    counters_of_late,
    crossed_late,
    ending_of_late,
    is_late,
)
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.incidents.following import named, renew
from services.alerts.incidents.words import Wording
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "budgets" / "late.sql")


class LateBudgetWatch:
    """A `Look` at periods that ended up to LATE_MAX ago. While a job corrects the tenant's spend nothing is
    told: half of that is no news, and all of it is told once."""

    of: Pass = "late budgets"
    rhythm = Rhythm(every_s=60.0, rest_s_max=60.0, woken=False, awaited=False)

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared
        self._counters = self._new_counters()

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules.calendar != self._rules.calendar:
            self._counters = self._new_counters()
        self._rules = rules

    def changed(self, span: BucketSpan) -> None:
        """What was spent in this time has changed."""
        self._counters.changed(span)

    async def look(self, now: datetime) -> None:
        """Open what was crossed since; end what people have had a day to see."""
        store, calendar = self._shared.store, self._rules.calendar
        watched = [each for each in self._rules.budgets if not trouble(each, each.currency)]
        needed = counters_of_late(watched, now, calendar)
        await self._counters.look(now, needed)
        wording = Wording(zone=calendar.at(now).zone, portal_url=self._shared.portal_url)
        async with self._shared.turns.turn(self._tenant, self.of):
            rows = await self._shared.pool.fetch(SQL["told"], self._tenant, now - LATE_MAX) if needed else []
        told = {
            ToldPeriod(row["rule_id"], row["rule_revision"], row["period_start"]): row["threshold_percent"]
            for row in rows
        }
        crossed = crossed_late(watched, told, self._counters.counters, now, calendar)
        if crossed and not await store.rerating(self._tenant):
            worded = await named(store, wording, crossed)
            proposed = [worded.with_words(each) for each in crossed]
            await store.open(self._tenant, now, lambda _: proposed)
        for incident in await store.current(self._tenant, now):
            if not is_late(incident) or incident.state == "resolved":
                continue
            if why := ending_of_late(incident, self._rules.budgets, now):
                await renew(store, wording, incident, replace(incident, updated_at=now), why)

    def _new_counters(self) -> CounterReader:
        turn = partial(self._shared.turns.turn, self._tenant, self.of)
        return CounterReader(self._shared.pool, self._tenant, self._rules.calendar, turn, leaders=False)
