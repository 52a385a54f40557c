"""Looks at one tenant's last minutes for bursts, and acts on what is far over its expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from services.alerts.bursts.bursts import AnomalyLook, explained
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.season_reader import SeasonReader
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import counter_key
from services.alerts.incidents.following import named, renew
from services.alerts.incidents.incident import Incident, is_due, with_figures
from services.alerts.incidents.words import Wording, corrected
from services.alerts.rules import TenantRules
from services.alerts.scopes import MINUTE
from services.alerts.turns import Pass
from services.alerts.watches.explanations import explanations, may_be_named_better
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.money import EXACT

HOT_AGE_MAX = timedelta(seconds=15)


class BurstWatch:
    """A `Look` at what suddenly spends far more than usual."""

    of: Pass = "anomalies"
    rhythm = Rhythm()

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared
        self._store = shared.store
        self._minutes: MinuteReader
        self._remember_nothing()

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        other_calendar = rules.calendar != self._rules.calendar
        self._rules = rules
        if other_calendar:
            self._remember_nothing()

    def changed(self, span: BucketSpan) -> None:
        """What was spent in this time has changed."""
        self._minutes.changed(span)

    async def look(self, now: datetime) -> None:
        """Open what is far over its expectation, renew what goes on, end what is over."""
        terms = self._rules.calendar.at(now)
        if self._minutes.currency != terms.currency:
            self._minutes = self._new_minutes()
        reader = self._minutes  # other rules may put another in its place meanwhile
        through = (await self._shared.complete.read()).booked_by(now)
        await reader.look(now, rerating=await self._store.rerating(self._tenant))
        current = await self._store.current(self._tenant, now)
        look = AnomalyLook(
            tenant=self._tenant,
            now=now,
            currency=terms.currency,
            recent=reader.recent,
            learned=reader.learned,
            rules=self._rules.of("burst"),
            complete_through=through,
            wording=Wording(zone=terms.zone, portal_url=self._shared.portal_url),
        )
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="anomaly")
        if proposed := look.proposals(current):
            look = replace(look, explanations=await self._explanations(proposed, now, current))
            look = replace(look, wording=await named(self._store, look.wording, look.proposals(current)))
            await self._store.open(self._tenant, now, look.proposals)
        hot = look.hot(current)
        for incident in current:
            if incident.kind == "anomaly" and incident.state != "resolved":
                await self._follow(look, incident, current, hot=incident.id in hot)

    async def _follow(
        self, look: AnomalyLook, incident: Incident, current: Sequence[Incident], *, hot: bool
    ) -> None:
        if hot and look.now - incident.hot_at >= HOT_AGE_MAX:
            await self._store.touch(incident, look.now)
        ending = look.ending(incident, hot)
        if not ending and not is_due(incident, look.now) and not look.has_stopped(incident, hot):
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
        if not ending and may_be_named_better(incident, look.now):
            for explanation in (await self._explanations([incident], look.now, current)).values():
                renewed = explained(renewed, explanation)
        await renew(self._store, look.wording, incident, renewed, ending)

    async def _explanations(
        self, incidents: Sequence[Incident], now: datetime, current: Sequence[Incident]
    ) -> Mapping[bytes, Mapping[str, Any]]:
        turn = partial(self._shared.turns.turn, self._tenant, self.of)
        known = [each for each in current if each.kind == "anomaly" and each.state != "resolved"]
        return await explanations(self._shared, turn, self._rules, incidents, now, known)

    def _remember_nothing(self) -> None:
        turn = partial(self._shared.turns.turn, self._tenant, self.of)
        self._episodes = CounterReader(self._shared.pool, self._tenant, self._rules.calendar, turn)
        self._minutes = self._new_minutes()

    def _new_minutes(self) -> MinuteReader:
        shared, terms = self._shared, self._rules.calendar.at(datetime.now(UTC))
        turn = partial(shared.turns.turn, self._tenant, self.of)
        seasons = SeasonReader(shared.pool, self._tenant, terms.currency, terms.zone, turn)
        return MinuteReader(
            shared.pool, self._tenant, terms.currency, turn, shared.learner, shared.bill_keys, seasons
        )
