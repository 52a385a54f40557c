"""Looks at one tenant's budgets whose periods are over: what is booked late may cross a threshold after
all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
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
from services.alerts.incidents.following import named, renew
from services.alerts.incidents.words import Wording
from services.alerts.watches.counted import CountedLook
from services.alerts.watches.look import Rhythm
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "budgets" / "late.sql")


class LateBudgetWatch(CountedLook):
    """A `Look` at periods that ended up to LATE_MAX ago. While a job corrects the tenant's spend nothing is
    told: half of that is no news, and all of it is told once."""

    of = "late budgets"
    rhythm = Rhythm(every_s=60.0, rest_s_max=60.0, woken=False, awaited=False)

    async def look(self, now: datetime) -> None:
        """Open what was crossed since; end what people have had a day to see."""
        store, calendar = self.shared.store, self.rules.calendar
        watched = [each for each in self.rules.budgets if not trouble(each, each.currency)]
        needed = counters_of_late(watched, now, calendar)
        await self.counters.look(now, needed)
        wording = self.words(Wording, now)
        rows = await self.rows(SQL["told"], now - LATE_MAX) if needed else []
        told = {
            ToldPeriod(row["rule_id"], row["rule_revision"], row["period_start"]): row["threshold_percent"]
            for row in rows
        }
        crossed = crossed_late(watched, told, self.counters.counters, now, calendar)
        if crossed and not await store.rerating(self.tenant):
            worded = await named(store, wording, crossed)
            proposed = [worded.with_words(each) for each in crossed]
            await store.open(self.tenant, now, lambda _: proposed)
        for incident in await store.current(self.tenant, now):
            if not is_late(incident) or incident.state == "resolved":
                continue
            if why := ending_of_late(incident, self.rules.budgets, now):
                await renew(store, wording, incident, replace(incident, updated_at=now), why)
