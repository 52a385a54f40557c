"""Looks at one tenant's templates: a budget for every key, agent, run, person or value of another
dimension."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.alerts.budgets.breaches import BudgetLook, periods
from services.alerts.budgets.budgets import Budget, trouble
from services.alerts.budgets.templates import (
    RUN_DAYS,
    VALUES_MAX,
    ValueLook,
    ValueSum,
    bounded,
    budgets_of,
    calendar_of,
    counters_of,
    floor_of,
)
from services.alerts.counting.counters import NOTHING, CounterSum, counter_key
from services.alerts.incidents.following import named, renew
from services.alerts.incidents.incident import Incident, is_due, with_figures
from services.alerts.incidents.words import Wording, corrected
from services.alerts.rules import TenantRules
from services.alerts.watches.look import Look, Rhythm
from spendmeter.book.budget_periods import PeriodBounds
from spendmeter.book.reading import one_instant, spent_in
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).parents[1] / "budgets" / "templates.sql")
RATE_OVER = timedelta(seconds=10)
"""How fast a value goes is told from two looks so far apart, or more."""
RUNS_LATELY = timedelta(minutes=10)
SWEEP_EVERY = timedelta(minutes=5)
"""Between sweeps over all runs of the period those are read that have called in the last ten minutes."""


@dataclass(eq=False, kw_only=True)
class TemplateWatch(Look):
    """A `Look` at what each value of a template's dimension has come to. It remembers sums for the rate
    alone."""

    of = "each value"
    rhythm = Rhythm(rest_s_max=30.0, awaited=False)
    _before: dict[tuple[str, int], ValueLook] = field(default_factory=dict)
    _swept: dict[tuple[str, int], datetime] = field(default_factory=dict)
    _idle: bool = False
    """There is no template, and no incident of one: most tenants have none, and are asked nothing."""

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        super().apply_rules(rules)
        self._idle = False

    async def look(self, now: datetime) -> None:
        """Open what was crossed, renew what is open, end what is over."""
        calendar = self.rules.calendar
        templates = [each for each in self.rules.budgets if each.each]
        if self._idle:
            return
        keys = {(each.id, each.revision) for each in templates}
        self._before = {key: each for key, each in self._before.items() if key in keys}
        self._swept = {key: each for key, each in self._swept.items() if key in keys}
        current = [
            each for each in await self.shared.store.current(self.tenant, now) if "each" in each.details
        ]
        for template in templates:
            if not trouble(template, template.currency_of(calendar, now)):
                await self._look_at(template, current, now)
        for incident in current:
            if incident.state != "resolved" and (incident.rule_id, incident.rule_revision) not in keys:
                words, gone = self.words(Wording, now), replace(incident, updated_at=now)
                await renew(self.shared.store, words, incident, gone, "the budget was changed or deleted")
        self._idle = not templates and all(each.state == "resolved" for each in current)

    async def _look_at(self, template: Budget, current: Sequence[Incident], now: datetime) -> None:
        calendar = calendar_of(template, self.rules.calendar)
        bounds = periods(template, now, calendar)
        if not bounds:
            return
        own = [each for each in current if each.rule_id == template.id]
        still = [each for each in own if each.state != "resolved"]
        held = sorted({each.scope[template.each] for each in still if template.each in each.scope})
        by_start = await self._read(template, bounds, held, calendar, now)
        values = {each.value: each for of in by_start.values() for each in of}
        values |= {value: ValueSum(value, NOTHING) for value in held if value not in values}
        key = (template.id, template.revision)
        look = BudgetLook(
            now=now,
            calendar=calendar,
            budgets=budgets_of(template, values.values(), calendar),
            counters=counters_of(template, by_start, bounds[-1][0], self._before.get(key)),
            wording=self.words(Wording, now),
        )
        self.evaluated("budget", len(look.budgets))
        if look.breached(own) or look.outgrown(own):
            proposed = look.proposals(own)
            look = replace(look, wording=await named(self.shared.store, look.wording, proposed))

            def propose(known: Sequence[Incident]) -> list[Incident]:
                proposed = look.proposals(known)
                return [
                    look.wording.with_words(each)
                    for each in bounded(template, bounds[-1], proposed, known, now)
                ]

            await self.shared.store.open(self.tenant, now, propose)
        whole = max(map(len, by_start.values()), default=0) < VALUES_MAX
        for incident in still:
            await self._follow(look, incident, whole=whole)
        self._remember(template, by_start, now)

    async def _follow(self, look: BudgetLook, incident: Incident, *, whole: bool) -> None:
        store, budget = self.shared.store, look.budget_of(incident)
        if budget is None:  # what tells of many values, or of a period that runs no more
            assert incident.period_end is not None
            if look.now >= incident.period_end:
                gone = replace(incident, updated_at=look.now)
                await renew(store, look.wording, incident, gone, "its period is over")
            return
        ending = look.ending(incident)
        fell = not ending and whole and look.has_fallen(incident)
        if (fell and await store.rerating(self.tenant)) or not (ending or fell or is_due(incident, look.now)):
            return
        bounds = look.bounds_of(incident, budget)
        spent = look.counters.of(counter_key(incident.scope, incident.currency), *bounds)
        if ending:  # its period is read no more: what was told last stands
            renewed = replace(incident, updated_at=look.now)
        else:
            renewed = with_figures(incident, look.figures(budget, bounds, spent), look.now)
        ending = corrected(renewed, incident.amount) if fell else ending
        await renew(store, look.wording, incident, renewed, ending)

    async def _read(
        self,
        template: Budget,
        bounds: Sequence[PeriodBounds],
        held: Sequence[str],
        calendar: Timeline,
        now: datetime,
    ) -> dict[datetime | None, list[ValueSum]]:
        floor, currency = floor_of(template), template.currency
        pool, tenant = self.shared.pool, self.tenant
        async with self.turn():
            if template.each == "run":
                began = now - timedelta(days=RUN_DAYS[template.period])
                swept = self._swept.get((template.id, template.revision))
                sweeps = swept is None or now - swept >= SWEEP_EVERY
                rows = await pool.fetch(
                    SQL["run_values"], tenant, began if sweeps else now - RUNS_LATELY, held, currency,
                    dict(template.filter), began, floor, VALUES_MAX,
                )  # fmt: skip
                if sweeps:
                    self._swept[template.id, template.revision] = now
                return {None: _values(rows)}
            found: dict[datetime | None, list[ValueSum]] = {}
            for start, end in bounds:
                if template.each == "user":
                    rows = await pool.fetch(
                        SQL["user_values"], tenant, start.date(), currency, floor, held, VALUES_MAX
                    )
                else:
                    rows = await self._series_values(template, (start, end), floor, held, calendar)
                found[start] = _values(rows)
            return found

    async def _series_values(
        self, template: Budget, bounds: PeriodBounds, floor: Any, held: Sequence[str], calendar: Timeline
    ) -> list[Any]:
        async with one_instant(self.shared.pool) as connection:
            read = await spent_in(connection, self.tenant, bounds, calendar)
            found: list[Any] = await connection.fetch(
                SQL["series_values"], *read, template.currency, dict(template.filter), template.each, floor,
                held, VALUES_MAX,
            )  # fmt: skip
            return found

    def _remember(
        self, template: Budget, by_start: Mapping[datetime | None, Iterable[ValueSum]], now: datetime
    ) -> None:
        key = (template.id, template.revision)
        before = self._before.get(key)
        if before is not None and now - before.at < RATE_OVER:
            return
        newest = list(by_start.values())[-1]
        sums = {each.value: each.spent.effective for each in newest}
        self._before[key] = ValueLook(at=now, sums=sums, floor=floor_of(template))
        if len(sums) >= VALUES_MAX:
            log().warning("a template has more values than are read", rule=template.id, limit=VALUES_MAX)


def _values(rows: Iterable[Any]) -> list[ValueSum]:
    return [
        ValueSum(
            row["value"],
            CounterSum(row["effective"], row["provisional"], (), row["corrected"]),
            row["first_at"],
        )
        for row in rows
    ]
