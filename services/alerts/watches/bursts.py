"""Looks at one tenant's last minutes for bursts, and acts on what is far over its expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alerts.bursts.bursts import AnomalyLook
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.season_reader import SeasonReader
from services.alerts.bursts.transitions import explained
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import counter_key
from services.alerts.incidents.following import renew, tell
from services.alerts.incidents.incident import Incident, is_due, open_bursts, with_figures
from services.alerts.incidents.words import Wording, corrected
from services.alerts.rules import TenantRules
from services.alerts.scopes import MINUTE
from services.alerts.watches.explanations import explanations, may_be_named_better
from services.alerts.watches.look import Look, Rhythm
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.money import EXACT

HOT_AGE_MAX = timedelta(seconds=15)


@dataclass(eq=False, kw_only=True)
class BurstWatch(Look):
    """A `Look` at what suddenly spends far more than usual."""

    of = "anomalies"
    rhythm = Rhythm()
    _minutes: MinuteReader = field(init=False)
    _episodes: CounterReader = field(init=False)

    def __post_init__(self) -> None:
        self._remember_nothing()

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        other_calendar = rules.calendar != self.rules.calendar
        super().apply_rules(rules)
        if other_calendar:
            self._remember_nothing()

    def changed(self, span: BucketSpan) -> None:
        """What was spent in this time has changed."""
        self._minutes.changed(span)

    async def look(self, now: datetime) -> None:
        """Open what is far over its expectation, renew what goes on, end what is over."""
        terms = self.rules.calendar.at(now)
        if self._minutes.currency != terms.currency:
            self._minutes = self._new_minutes()
        reader = self._minutes  # other rules may put another in its place meanwhile
        through = (await self.shared.complete.read()).booked_by(now)
        await reader.look(now, rerating=await self.shared.store.rerating(self.tenant))
        current = await self.shared.store.current(self.tenant, now)
        look = AnomalyLook(
            tenant=self.tenant,
            now=now,
            currency=terms.currency,
            recent=reader.recent,
            learned=reader.learned,
            rules=self.rules.of("burst"),
            complete_through=through,
            wording=self.words(Wording, now),
        )
        self.evaluated("anomaly")
        if proposed := look.proposals(current):
            look = replace(look, explanations=await self._explanations(proposed, now, current))
            await tell(self.shared.store, self.tenant, look, current)
        hot = look.hot(current)
        for incident in open_bursts(current):
            await self._follow(look, incident, current, hot=incident.id in hot)

    async def _follow(
        self, look: AnomalyLook, incident: Incident, current: Sequence[Incident], *, hot: bool
    ) -> None:
        if hot and look.now - incident.hot_at >= HOT_AGE_MAX:
            await self.shared.store.touch(incident, look.now)
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
        if look.is_corrected(figures) and not await self.shared.store.rerating(self.tenant):
            ending = corrected(renewed, EXACT.subtract(figures.amount, figures.corrected))
        if not ending and may_be_named_better(incident, look.now):
            for explanation in (await self._explanations([incident], look.now, current)).values():
                renewed = explained(renewed, explanation)
        await renew(self.shared.store, look.wording, incident, renewed, ending)

    async def _explanations(
        self, incidents: Sequence[Incident], now: datetime, current: Sequence[Incident]
    ) -> Mapping[bytes, Mapping[str, Any]]:
        known = open_bursts(current)
        return await explanations(self.shared, self.turn, self.rules, incidents, now, known)

    def _remember_nothing(self) -> None:
        self._episodes = CounterReader(self.shared.pool, self.tenant, self.rules.calendar, self.turn)
        self._minutes = self._new_minutes()

    def _new_minutes(self) -> MinuteReader:
        shared, terms = self.shared, self.rules.calendar.at(datetime.now(UTC))
        seasons = SeasonReader(shared.pool, self.tenant, self.rules.calendar, self.turn)
        return MinuteReader(
            shared.pool, self.tenant, terms.currency, self.turn, shared.learner, shared.bill_keys, seasons
        )
