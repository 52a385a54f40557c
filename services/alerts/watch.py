"""Watches one tenant: looks when a message wakes it and every few seconds anyway, and acts on the verdicts.

Budgets and anomalies are looked at apart, each statement in its turn: dear anomalies delay no budget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import get_args

import asyncpg

from services.alerts.bill_keys import BillKeys
from services.alerts.budgets import trouble
from services.alerts.counter_reader import CounterReader
from services.alerts.incidents import Incident, resolved, with_figures
from services.alerts.learning import Learner
from services.alerts.minute_reader import MinuteReader
from services.alerts.scopes import MINUTE
from services.alerts.store import Store, TenantRules
from services.alerts.turns import Pass, Turns
from services.alerts.unbooked_watch import UnbookedWatch
from services.alerts.verdicts import AnomalyLook, BudgetLook, counter_key, counters_needed, figures_of, is_due
from services.alerts.words import Wording, corrected, key_ids
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log

LOOK_INTERVAL_S = 1.0
"""However many messages arrive, a tenant is looked at once in so long."""
SWEEP_INTERVAL_S = 3.0
"""And at least once in so long when none does: a lost message must not miss a breach."""
CHEAP_LOOK_S = 0.25
LOOK_SHARE = 0.25
"""Of one connection's time that a tenant's budgets take, and its anomalies as well: where a look takes long,
for its series are many, the next one comes later, and the processors stay free for others. A look of
CHEAP_LOOK_S is free: it is a small tenant's on a busy machine."""
REST_S_MAX: dict[Pass, float] = {"budgets": 4.0, "anomalies": 10.0, "unbooked": 10.0}
"""However dear a look is: a large tenant, too, is told in seconds."""
HOT_AGE_MAX = timedelta(seconds=15)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all watches of a worker share."""

    pool: asyncpg.Pool[asyncpg.Record]
    store: Store
    turns: Turns
    learner: Learner
    meters: Meters
    portal_url: str
    bill_keys: BillKeys | None = None


class TenantWatch:
    """`run` watches until cancelled. What it remembers is rebuilt by its first look."""

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared
        self._store = shared.store
        self._woken: dict[Pass, asyncio.Event] = {of: asyncio.Event() for of in get_args(Pass)}
        self._seen: dict[Pass, bool] = dict.fromkeys(get_args(Pass), False)
        self._unbooked = UnbookedWatch(
            tenant=tenant,
            pool=shared.pool,
            store=shared.store,
            turn=partial(shared.turns.turn, tenant, "unbooked"),
            portal_url=shared.portal_url,
        )
        self._minutes: MinuteReader
        self._remember_nothing()
        self._name_troubles()

    @property
    def looked(self) -> bool:
        """Whether the last look at each of its subjects succeeded."""
        return all(self._seen.values())

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules == self._rules:
            return
        other_calendar = rules.calendar != self._rules.calendar
        self._rules = rules
        if other_calendar:
            self._remember_nothing()  # its days began at other midnights, or in another currency
        self._name_troubles()
        self._wake()

    def wake(self, span: BucketSpan) -> None:
        """A message says that what was spent in this time has changed."""
        self._counters.changed(span)
        self._minutes.changed(span)
        self._wake()

    async def run(self) -> None:
        """Watch all of it, until cancelled."""
        async with asyncio.TaskGroup() as looks:
            looks.create_task(self._keep_looking("budgets", self.look_at_budgets))
            looks.create_task(self._keep_looking("anomalies", self.look_at_anomalies))
            looks.create_task(self._keep_looking("unbooked", self.look_at_unbooked))

    async def look_at_budgets(self) -> None:
        """Open what was crossed, renew what is open, end what is over."""
        now, rules, reader = datetime.now(UTC), self._rules, self._counters
        terms = rules.calendar.at(now)
        watched = [
            budget for budget in rules.budgets if not trouble(budget, budget.currency_of(rules.calendar, now))
        ]
        await reader.look(now, counters_needed(watched, now, rules.calendar))
        current = await self._store.current(self._tenant, now)
        look = BudgetLook(
            now=now,
            calendar=rules.calendar,
            budgets=watched,
            counters=reader.counters,
            wording=Wording(zone=terms.zone, portal_url=self._shared.portal_url),
        )
        self._shared.meters.add("spendmeter.alerts.evaluations", len(watched), kind="budget")
        if crossed := look.breached(current):
            await reader.read_leaders(
                (counter_key(each.budget.filter, each.budget.currency) for each in crossed), now
            )
            leaders = [leader for each in look.breached(current) for leader in each.spent.leaders]
            look = replace(look, series=await reader.series(leaders))
            look = replace(look, wording=await self._named(look.wording, look.proposals(current)))
            # Again under the tenant's lock: what another worker opened meanwhile counts as open.
            await self._store.open(self._tenant, now, look.proposals)
        for incident in current:
            if incident.kind == "budget" and incident.state != "resolved":
                await self._follow_budget(look, incident)

    async def look_at_anomalies(self) -> None:
        """Open what is far over its expectation, renew what goes on, end what is over."""
        now = datetime.now(UTC)
        terms = self._rules.calendar.at(now)
        if self._minutes.currency != terms.currency:
            self._minutes = self._new_minutes()
        reader = self._minutes  # other rules may put another in its place meanwhile
        await reader.look(now, rerating=await self._store.rerating(self._tenant))
        current = await self._store.current(self._tenant, now)
        look = AnomalyLook(
            tenant=self._tenant,
            now=now,
            currency=terms.currency,
            recent=reader.recent,
            learned=reader.learned,
            wording=Wording(zone=terms.zone, portal_url=self._shared.portal_url),
        )
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="anomaly")
        if proposed := look.proposals(current):
            look = replace(look, wording=await self._named(look.wording, proposed))
            await self._store.open(self._tenant, now, look.proposals)
        for incident in current:
            if incident.kind == "anomaly" and incident.state != "resolved":
                await self._follow_anomaly(look, incident)

    async def look_at_unbooked(self) -> None:
        """Open where too much of a key's is not booked, renew what goes on, end what is over."""
        now = datetime.now(UTC)
        await self._unbooked.look(now, self._rules.calendar.at(now).zone)
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="unbooked")

    async def _follow_budget(self, look: BudgetLook, incident: Incident) -> None:
        """Bring one open incident up to date, or end it."""
        ending, budget = look.ending(incident), look.budget_of(incident)
        fell = not ending and look.has_fallen(incident)
        if fell and await self._store.rerating(self._tenant):
            return  # what is half corrected says nothing, and its figures stay what they were
        if not (ending or fell or is_due(incident, look.now)):
            return
        assert incident.period_start is not None
        assert incident.period_end is not None
        reader, bounds = self._counters, BucketSpan(incident.period_start, incident.period_end)
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
        ending = corrected(renewed, incident.amount) if fell else ending
        await self._renew(look.wording, incident, renewed, ending)

    async def _follow_anomaly(self, look: AnomalyLook, incident: Incident) -> None:
        hot = look.is_hot(incident)
        if hot and look.now - incident.hot_at >= HOT_AGE_MAX:
            await self._store.touch(incident, look.now)
        ending = look.ending(incident, hot)
        if not ending and not is_due(incident, look.now):
            return
        until = look.until(incident, hot)
        after = until.replace(second=0, microsecond=0) + MINUTE
        counter = counter_key(incident.scope, incident.currency)
        spent = await self._episodes.since(counter, incident.began_at.replace(second=0, microsecond=0), after)
        series = await self._episodes.series(spent.leaders)
        figures = look.figures(incident, spent, series, until)
        renewed = with_figures(incident, figures, look.now)
        if look.is_corrected(figures) and not await self._store.rerating(self._tenant):
            ending = corrected(renewed, EXACT.subtract(figures.amount, figures.corrected))
        await self._renew(look.wording, incident, renewed, ending)

    async def _renew(self, wording: Wording, before: Incident, after: Incident, ending: str) -> None:
        if ending:
            after = resolved(after, ending, after.updated_at)
        worded = (await self._named(wording, [after])).with_words(after)
        await (self._store.resolve if ending else self._store.update)(before, worded)

    async def _named(self, wording: Wording, incidents: Iterable[Incident]) -> Wording:
        """The wording, with the names of the keys that these incidents speak of."""
        unknown = {key for one in incidents for key in key_ids(one) if key not in one.key_names}
        names = await self._store.key_names(self._tenant, sorted(unknown)) if unknown else {}
        return replace(wording, key_names=names)

    async def _keep_looking(self, of: Pass, look: Callable[[], Awaitable[None]]) -> None:
        await keep_doing(
            partial(self._look_and_rest, of, look),
            "a look failed",
            away=partial(self._fails, of),
            tenant=self._tenant,
        )

    async def _look_and_rest(self, of: Pass, look: Callable[[], Awaitable[None]]) -> None:
        turns, woken = self._shared.turns, self._woken[of]
        began, served = time.monotonic(), turns.used_s(self._tenant, of)
        woken.clear()
        await look()
        self._seen[of] = True
        took, used = time.monotonic() - began, turns.used_s(self._tenant, of) - served
        rest = min(REST_S_MAX[of], (used - CHEAP_LOOK_S) / LOOK_SHARE - took)
        await asyncio.sleep(max(0.0, LOOK_INTERVAL_S - took, rest))
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_INTERVAL_S - LOOK_INTERVAL_S):
                await woken.wait()

    def _fails(self, of: Pass, error: Exception) -> bool:
        """Whether a look may fail so; the next one may succeed."""
        if not isinstance(error, CONNECTION_ERRORS):
            return False
        self._seen[of] = False
        self._shared.meters.add("spendmeter.database.retries")
        return True

    def _wake(self) -> None:
        for of in self._woken.keys() - {"unbooked"}:  # of what is not booked no total tells
            self._woken[of].set()

    def _name_troubles(self) -> None:
        now, rules = datetime.now(UTC), self._rules
        for budget in rules.budgets:
            if reason := trouble(budget, budget.currency_of(rules.calendar, now)):
                log().error("a budget is not watched", tenant=self._tenant, rule=budget.id, reason=reason)

    def _remember_nothing(self) -> None:
        shared, calendar = self._shared, self._rules.calendar
        turn = partial(shared.turns.turn, self._tenant)
        self._counters = CounterReader(shared.pool, self._tenant, calendar, partial(turn, "budgets"))
        self._episodes = CounterReader(shared.pool, self._tenant, calendar, partial(turn, "anomalies"))
        self._minutes = self._new_minutes()

    def _new_minutes(self) -> MinuteReader:
        shared, currency = self._shared, self._rules.calendar.at(datetime.now(UTC)).currency
        turn = partial(shared.turns.turn, self._tenant, "anomalies")
        return MinuteReader(shared.pool, self._tenant, currency, turn, shared.learner, shared.bill_keys)
