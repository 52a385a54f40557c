"""Watches one tenant: looks when a total wakes it and every few seconds anyway, and acts on the verdicts."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg

from services.alerts.budgets import trouble
from services.alerts.incidents import Incident, resolved, told, with_figures
from services.alerts.reader import Allowance, Reader
from services.alerts.store import Store, TenantRules
from services.alerts.verdicts import Look, periods
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.telemetry import Meters, log

LOOK_INTERVAL_S = 1.0
"""However many totals arrive, a tenant is looked at once in so long."""
SWEEP_INTERVAL_S = 3.0
"""And at least once in so long when none does: a lost message must not miss a breach."""
RETRY_S = 1.0
HOT_AGE_MAX = timedelta(seconds=15)


class TenantWatch:
    """`run` watches until cancelled. What it remembers is rebuilt by its first look."""

    def __init__(
        self,
        *,
        tenant: str,
        rules: TenantRules,
        pool: asyncpg.Pool[asyncpg.Record],
        store: Store,
        allowance: Allowance,
        turns: asyncio.Semaphore,
        meters: Meters,
    ) -> None:
        self._tenant = tenant
        self._pool = pool
        self._store = store
        self._allowance = allowance
        self._turns = turns
        self._meters = meters
        self._woken = asyncio.Event()
        self._rules = rules
        self._reader = self._new_reader()
        self._name_troubles()
        self.looked = False
        """Whether the last look succeeded."""

    def obey(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules == self._rules:
            return
        other_calendar = rules.calendar != self._rules.calendar
        self._rules = rules
        if other_calendar:
            self._reader = self._new_reader()  # its days began at other midnights, or in another currency
        self._name_troubles()
        self._woken.set()

    def wake(self, bucket: datetime) -> None:
        """A total says that something was spent in this minute."""
        self._reader.changed(bucket)
        self._woken.set()

    async def run(self) -> None:
        """Look, wait, look again."""
        while True:
            began = time.monotonic()
            self._woken.clear()
            try:
                async with self._turns:
                    await self._look()
            except CONNECTION_ERRORS as error:
                self.looked = False
                log().warning("a look failed", tenant=self._tenant, error=type(error).__name__)
                self._meters.add("spendmeter.database.retries")
                await asyncio.sleep(RETRY_S)
                continue
            self.looked = True
            await asyncio.sleep(max(0.0, LOOK_INTERVAL_S - (time.monotonic() - began)))
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_INTERVAL_S - LOOK_INTERVAL_S):
                    await self._woken.wait()

    def _name_troubles(self) -> None:
        for budget in self._rules.budgets:
            if reason := trouble(budget, self._rules.calendar):
                log().error("a budget is not watched", tenant=self._tenant, rule=budget.id, reason=reason)

    async def _look(self) -> None:
        now, rules, reader = datetime.now(UTC), self._rules, self._reader
        watched = [budget for budget in rules.budgets if not trouble(budget, rules.calendar)]
        starts = [start for budget in watched for start, _ in periods(budget, now, rules.calendar)]
        await reader.look(now, min(starts, default=None))
        current = await self._store.current(self._tenant, now)
        look = Look(
            tenant=self._tenant,
            now=now,
            calendar=rules.calendar,
            budgets=watched,
            spend=reader.spend,
            learned=reader.learned,
        )
        self._meters.add("spendmeter.alerts.evaluations", len(watched), kind="budget")
        self._meters.add("spendmeter.alerts.evaluations", kind="anomaly")
        if look.proposals(current):
            # Again under the tenant's lock: what another worker opened meanwhile counts as open.
            await self._store.open(self._tenant, now, look.proposals)
        for incident in current:
            if incident.state != "resolved":
                await self._follow(look, incident)

    async def _follow(self, look: Look, incident: Incident) -> None:
        """Bring one open incident up to date, or end it."""
        hot = look.is_hot(incident)
        if hot and look.now - incident.hot_at >= HOT_AGE_MAX:
            await self._store.touch(incident, look.now)
        ending = look.ending(incident, hot)
        if not ending and not look.due(incident):
            return
        budget, until = look.budget_of(incident), look.until(incident, ending)
        if budget is None or ending:
            by_series = await self._reader.scope_since(incident.scope, incident.began_at, until)
        else:
            by_series = look.spend.by_series(budget.covers, incident.began_at, until)
        after = with_figures(incident, look.figures(incident, by_series, until), look.now)
        if ending:
            after = resolved(after, ending, look.now)
            await self._store.resolve(incident, told(after, look.calendar.zone))
        else:
            await self._store.update(incident, told(after, look.calendar.zone))

    def _new_reader(self) -> Reader:
        return Reader(self._pool, self._tenant, self._rules.calendar, self._allowance)
