"""Looks at the pace of one tenant's budgets, and acts on those that run out early."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from services.alerts.budgets.budgets import Budget
from services.alerts.burns.burns import (
    CALM,
    CALMED,
    BudgetPace,
    BurnEnd,
    Burning,
    WatchedBudget,
    burning,
    ending,
    may_burn,
    renewed,
    to_open,
    watched,
)
from services.alerts.burns.usual import HISTORY, usual_profile, usual_scope
from services.alerts.burns.words import BurnWording
from services.alerts.counting.counters import CounterKey, counter_key
from services.alerts.forecasts.profile import Profile
from services.alerts.incidents.following import renew
from services.alerts.incidents.incident import Incident, is_due, open_of
from services.alerts.rules import TenantRules
from services.alerts.scopes import MINUTE, DetectorScope
from services.alerts.watches.counted import CountedLook
from services.alerts.watches.look import Rhythm
from spendmeter.book.reading import one_instant, spent_in
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "burns" / "burns.sql")
BOOKED_AGE_MAX = 2 * MINUTE
"""Where the book is further behind nothing is over: what is not booked yet may burn."""


@dataclass(eq=False, kw_only=True)
class BurnWatch(CountedLook):
    """A `Look` at how fast budgets go. When its scopes usually spend it reads again each day."""

    of = "burns"
    rhythm = Rhythm(every_s=20.0, rest_s_max=60.0, woken=False, awaited=False)
    _profiles: dict[DetectorScope, Profile] = field(default_factory=dict)
    _profiled_on: date | None = None

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules.calendar != self.rules.calendar:
            self._profiled_on = None
        super().apply_rules(rules)

    async def look(self, now: datetime) -> None:
        """Open what burns, renew what is open, end what burns no more."""
        store, rules = self.shared.store, self.rules.of("burn")
        current = await store.current(self.tenant, now)
        ours = open_of("burn", current)
        found = watched(self.rules.budgets, rules, self.rules.calendar, now)
        if not found and not ours:
            return
        await self.counters.look(now, _counted(found))
        paces = [(rule, await self._pace(budget, bounds, now)) for budget, bounds, rule in found]
        burns: dict[str, Burning | None] = {}
        for rule, pace in paces:
            burns[pace.budget.id] = await self._burning(pace, rule, Decimal(1))
            await asyncio.sleep(0)  # each takes a millisecond, and there may be hundreds
        self.evaluated("burn", len(paces))
        wording = self.words(BurnWording, now)
        seen = [(rule, pace, burn) for rule, pace in paces if (burn := burns[pace.budget.id]) is not None]
        if seen:
            ended = [BurnEnd(**row) for row in await self.shared.pool.fetch(SQL["ended"], self.tenant, now)]
            # Again under the tenant's lock: what another worker opened meanwhile counts as open.
            await store.open(
                self.tenant,
                now,
                lambda known: [wording.with_words(one) for one in to_open(seen, known, ended)],
            )
        by_budget = {(pace.budget.id, pace.budget.revision): (rule, pace) for rule, pace in paces}
        for incident in ours:
            await self._follow(incident, by_budget, burns, wording, now)

    async def _pace(self, budget: Budget, bounds: tuple[datetime, datetime], now: datetime) -> BudgetPace:
        counted = counter_key(budget.filter, budget.currency)
        return BudgetPace(
            budget=budget,
            bounds=bounds,
            now=now,
            zone=self.rules.calendar.at(now).zone,
            spent=self.counters.counters.of(counted, *bounds),
            profile=await self._profile(budget, now),
        )

    async def _burning(self, pace: BudgetPace, rule: AlertRule, factor: Decimal) -> Burning | None:
        """As the worst pair says; what cannot burn by what is counted in whole hours is not read."""
        counters = self.counters.counters
        counted = counter_key(pace.budget.filter, pace.budget.currency)
        for pair, needed in pace.asked(rule, factor):
            windows = (pair.long, pair.short)
            at_most = {window: counters.since_at_most(counted, pace.now - window) for window in windows}
            if not may_burn(pace, pair, at_most, needed):
                continue
            spent = {window: await self._spent(pace, window) for window in windows}
            if burn := burning(pace, pair, spent, needed):
                return burn
        return None

    async def _spent(self, pace: BudgetPace, window: timedelta) -> Decimal:
        """To the minute, as it happens: no bill says at which hour something was spent."""
        budget, bills = pace.budget, await self.bill_keys()
        end = pace.now.replace(second=0, microsecond=0) + MINUTE
        async with self.turn(), one_instant(self.shared.pool) as connection:
            read = await spent_in(connection, self.tenant, [end - window, end], self.rules.calendar)
            asked = (budget.currency, dict(budget.filter), bills)
            spent: Decimal = await connection.fetchval(SQL["window"], *read, *asked)
        return spent

    async def _follow(
        self,
        incident: Incident,
        by_budget: Mapping[tuple[str, int], tuple[AlertRule, BudgetPace]],
        burns: Mapping[str, Burning | None],
        wording: BurnWording,
        now: datetime,
    ) -> None:
        paces = {of: pace for of, (_, pace) in by_budget.items()}
        why, after = ending(incident, paces, now), replace(incident, updated_at=now)
        known = by_budget.get((incident.details["budget"], incident.details["revision"]))
        if known is not None and known[1].bounds[0] == incident.period_start:
            rule, pace = known
            burn = burns[pace.budget.id]
            if not why and burn is None and await self._is_calm(rule, pace):
                why = CALMED
            after = renewed(incident, pace, burn)
        if why or is_due(incident, now):
            await renew(self.shared.store, wording, incident, after, why)

    async def _is_calm(self, rule: AlertRule, pace: BudgetPace) -> bool:
        if not pace.judged:
            return False  # of what is used up, or nearly over, no pace says anything
        booked = (await self.shared.complete.read()).booked_by(pace.now)
        if booked is None or pace.now - booked > BOOKED_AGE_MAX:
            return False
        return await self._burning(pace, rule, CALM) is None

    async def _profile(self, budget: Budget, now: datetime) -> Profile:
        """When the budget's scope usually spends."""
        zone = self.rules.calendar.at(now).zone
        today = now.astimezone(zone).date()
        if today != self._profiled_on:
            self._profiles, self._profiled_on = {}, today
        scope = usual_scope(budget)
        if scope not in self._profiles:
            midnight = self.rules.calendar.bounds("day", now)[0]
            asked = (*scope, budget.currency, midnight - HISTORY, midnight)
            rows = await self.rows(SQL["hours"], *asked)
            hours = [(row["bucket"], row["effective"]) for row in rows]
            self._profiles[scope] = usual_profile(hours, zone, today)
        return self._profiles[scope]


def _counted(found: Sequence[WatchedBudget]) -> dict[CounterKey, datetime]:
    """The counters of these budgets, each from the beginning of its earliest period on."""
    since: dict[CounterKey, datetime] = {}
    for budget, (start, _), _ in found:
        counted = counter_key(budget.filter, budget.currency)
        since[counted] = min(since.get(counted, start), start)
    return since
