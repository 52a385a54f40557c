"""Looks at one tenant's budgets, and acts on what was crossed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from services.alerts.budgets.breaches import BudgetLook, counters_needed, hours_needed
from services.alerts.budgets.budgets import trouble
from services.alerts.budgets.late import is_late
from services.alerts.counting.counters import counter_key
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.following import renew, tell
from services.alerts.incidents.incident import Incident, is_due, open_of, with_figures
from services.alerts.incidents.words import Wording, corrected, rolled_out
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.watches.counted import CountedLook
from services.alerts.watches.look import Rhythm
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.money import ZERO
from spendmeter.platform.telemetry import log


class BudgetWatch(CountedLook):
    """A `Look` at the thresholds that spend has passed."""

    of: ClassVar[Pass] = "budgets"
    rhythm = Rhythm(rest_s_max=4.0)
    leaders = True
    rolls: ClassVar[bool] = False
    """Whether it looks at those of the last hours, or at all others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._name_troubles()

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        super().apply_rules(rules)
        self._name_troubles()

    async def look(self, now: datetime) -> None:
        """Open what was crossed, renew what is open, end what is over."""
        rules, reader = self.rules, self.counters
        watched = [
            budget
            for budget in rules.budgets
            if budget.rolls == self.rolls and not budget.each
            if not trouble(budget, budget.currency_of(rules.calendar, now))
        ]
        needed = counters_needed(watched, now, rules.calendar)
        await reader.look(now, needed, hours_needed(watched, now, rules.calendar))
        current = await self.shared.store.current(self.tenant, now)
        complete = await self.shared.complete.read() if self.rolls else None
        look = BudgetLook(
            now=now,
            calendar=rules.calendar,
            budgets=watched,
            counters=reader.counters,
            wording=self.words(Wording, now),
            complete_through=complete.booked if complete else None,
        )
        self.evaluated("budget", len(watched))
        if (crossed := look.breached(current)) or look.outgrown(current):
            counted = [counter_key(each.budget.filter, each.budget.currency) for each in crossed]
            counted += [counter_key(each.scope, each.currency) for each, _ in look.outgrown(current)]
            await reader.read_leaders(counted, now)
            sums = [each.spent for each in look.breached(current)]
            sums += [spent for _, spent in look.outgrown(current)]
            leaders = [leader for spent in sums for leader in spent.leaders]
            look = replace(look, series=await reader.series(leaders))
            await tell(self.shared.store, self.tenant, look, current)
        for incident in open_of("budget", current):
            if self._follows(incident):
                await self._follow(look, incident)

    def _follows(self, incident: Incident) -> bool:
        """What came late, and templates, have looks of their own; what has no budget any more is not of the
        last hours."""
        key = (incident.rule_id, incident.rule_revision)
        rolls = any(each.rolls and (each.id, each.revision) == key for each in self.rules.budgets)
        return rolls == self.rolls and not is_late(incident) and "each" not in incident.details

    async def _follow(self, look: BudgetLook, incident: Incident) -> None:
        """Bring one open incident up to date, or end it."""
        ending, budget = look.ending(incident), look.budget_of(incident)
        fell = not ending and look.has_fallen(incident)
        if fell and await self.shared.store.rerating(self.tenant):
            return  # what is half corrected says nothing, and its figures stay what they were
        if not (ending or fell or is_due(incident, look.now)):
            return
        assert incident.period_start is not None
        assert incident.period_end is not None
        reader, bounds = self.counters, BucketSpan(incident.period_start, incident.period_end)
        if budget is not None:
            bounds = BucketSpan(*look.bounds_of(incident, budget))
        counter = counter_key(incident.scope, incident.currency)
        if fell:
            await reader.read_whole(counter, bounds, look.now)
            if not look.has_fallen(incident):
                return  # some of the period was not known as it is
        elif not ending:
            await reader.read_leaders([counter], look.now)
        if ending:  # nothing counts for it any more
            spent = await reader.since(counter, bounds.start, min(bounds.end, look.now + timedelta(hours=1)))
        else:
            spent = look.counters.of(counter, *bounds)
        series = await reader.series(spent.leaders)
        if budget is not None and not ending:
            figures = replace(look, series=series).figures(budget, bounds, spent)
        else:
            figures = figures_of(
                spent, series, expected=incident.expected, usual=incident.expected_per_hour, rate=ZERO
            )
        renewed = with_figures(incident, figures, look.now)
        if budget is not None and budget.rolls:
            renewed = replace(renewed, began_at=bounds.start)
            ending = rolled_out(renewed) if fell else ending
        elif fell:
            ending = corrected(renewed, incident.amount)
        await renew(self.shared.store, look.wording, incident, renewed, ending)

    def _name_troubles(self) -> None:
        now, rules = datetime.now(UTC), self.rules
        for budget in rules.budgets:
            reason = trouble(budget, budget.currency_of(rules.calendar, now))
            if reason and budget.rolls == self.rolls:
                log().error("a budget is not watched", tenant=self.tenant, rule=budget.id, reason=reason)


class RollingBudgetWatch(BudgetWatch):
    """The same of budgets of the last hours. Their counters keep hours of a month apart, from which nobody
    else's should have to be added up."""

    of = "last hours"
    rolls = True

    async def look(self, now: datetime) -> None:
        """Most tenants have none."""
        if any(budget.rolls for budget in self.rules.budgets):
            await super().look(now)
