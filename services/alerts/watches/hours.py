"""Looks at one tenant's hours: the one that runs every five minutes, and each once more when it is complete.

It keeps a state of the scopes with most money at stake. Each is rebuilt from `scope_hours` alone, when its
hour first comes to as much as a rule asks for: a worker that takes over has them at its first look, and what
spends nothing costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.bursts.seasons import HOUR
from services.alerts.detect.scope import ALARM, observe, rebuilt, score_open
from services.alerts.detect.state import ScopeState
from services.alerts.hours.going_on import HourGoingOn
from services.alerts.hours.hour_reader import HISTORY, HourReader, RunningHour
from services.alerts.hours.hours import hour_look
from services.alerts.hours.scoring import HourMoney, page_score
from services.alerts.hours.words import HourWording
from services.alerts.incidents.following import renew, tell
from services.alerts.incidents.incident import Incident, in_other_money, open_hourly, open_of
from services.alerts.levels.days import scope_of
from services.alerts.scopes import TENANT, DetectorScope
from services.alerts.watches.explanations import explanations
from services.alerts.watches.look import Look, Rhythm

STATES_MAX = 1_000
"""Scopes of a tenant, those with most money in the hour."""
SCORED_FROM = timedelta(minutes=10)
"""Of an hour less says too little."""
PATIENCE = timedelta(minutes=40)
"""Where late events keep changing the hour before, it is taken as it is so long after its end."""
MISSED_MAX = 24 * HOUR
"""After a longer pause all is rebuilt."""


@dataclass(eq=False, kw_only=True)
class HourWatch(Look):
    """A `Look` at hours, that reads their minutes as they are complete."""

    of = "hours"
    rhythm = Rhythm(every_s=60.0, rest_s_max=300.0, woken=False, awaited=False)
    _reader: HourReader | None = None
    _complete_to: datetime | None = None
    """Hours before it have taught."""
    _states: dict[DetectorScope, ScopeState] = field(default_factory=dict)
    _histories: dict[DetectorScope, Mapping[datetime, Decimal]] = field(default_factory=dict)

    async def look(self, now: datetime) -> None:
        """Open what is unusual for its hour, renew what goes on, end what is quiet by complete hours."""
        store = self.shared.store
        current = await store.current(self.tenant, now)
        ours = open_hourly(current)
        through = (await self.shared.complete.read()).booked_by(now)
        if through is None or not (ours or self.rules.of("hour")) or await store.rerating(self.tenant):
            return
        reader = self._reader_at(now)
        running = await reader.read_on(min(through, now), await self.bill_keys())
        if running is None or not await self._is_complete(reader, running):
            return
        since = await reader.known_since()
        if since is None:
            return
        if self._complete_to != running.hour:
            await self._take_complete(reader, running.hour, since, now, current)
        share = running.until - running.hour
        if share >= SCORED_FROM:
            await self._judge_running(reader, running, since, now, current)
        for incident in ours:
            await self._follow(reader, running, since, incident, now)

    async def _is_complete(self, reader: HourReader, running: RunningHour) -> bool:
        """Whether all hours before the one that runs are as they are."""
        late = self._complete_to == running.hour or running.until - running.hour >= PATIENCE
        return late or await reader.is_settled(running.hour - HOUR)

    async def _take_complete(
        self, reader: HourReader, hour: datetime, since: datetime, now: datetime, current: Sequence[Incident]
    ) -> None:
        """Hours that have become complete teach, and the last of them is judged as a whole."""
        before = self._complete_to
        if before is None or hour - before > MISSED_MAX:
            self._states.clear()
        scopes, first = list(self._states), before or hour
        found, last = await reader.hours(scopes, first, hour), reader.starts(hour - HOUR, hour)[-1]
        spans = await reader.explained(first)
        self._complete_to = hour  # from here to the end of the loop nothing can fail
        self._histories.clear()
        scores: dict[DetectorScope, float] = {}
        for scope, hours in found.items():
            for at, money in hours.items():
                surprise = observe(
                    self._states[scope],
                    at,
                    float(money.amount),
                    zone=reader.zone,
                    unit=money.unit,
                    explained=any(span.holds(scope, at) for span in spans),
                )
                if at == last:
                    scores[scope] = surprise.score
        amounts = {scope: hours.get(last, HourMoney()) for scope, hours in found.items()}
        await self._tell(reader, last, hour, amounts, scores, since, now, current)

    async def _judge_running(
        self,
        reader: HourReader,
        running: RunningHour,
        since: datetime,
        now: datetime,
        current: Sequence[Incident],
    ) -> None:
        least = min((rule.number("amount_min") for rule in self.rules.of("hour")), default=None)
        if least is None:
            return
        at_stake = [scope for scope, money in running.amounts.items() if money.amount >= least]
        at_stake.sort(key=lambda scope: (-running.amounts[scope].amount, scope))
        await self._know(reader, at_stake[:STATES_MAX], running.hour)
        share = (running.until - running.hour) / HOUR
        scores = {
            scope: score_open(
                self._states[scope], running.hour, float(running.amounts[scope].amount), share=share,
                zone=reader.zone, unit=running.amounts[scope].unit,
            ).score
            for scope in at_stake[:STATES_MAX]
        }  # fmt: skip
        self.evaluated("hour", len(scores))
        await self._tell(reader, running.hour, running.until, running.amounts, scores, since, now, current)

    async def _know(self, reader: HourReader, scopes: Sequence[DetectorScope], hour: datetime) -> None:
        """States of all of these; the others go when there are too many."""
        missing = [scope for scope in scopes if scope not in self._states]
        if len(self._states) + len(missing) > STATES_MAX:
            self._states = {scope: self._states[scope] for scope in scopes if scope in self._states}
        if not missing:
            return
        spans = await reader.explained(hour - HISTORY)
        for scope, history in (await reader.histories(missing, hour)).items():
            told = {at for at in history if any(span.holds(scope, at) for span in spans)}
            amounts = [(at, float(amount)) for at, amount in history.items()]
            self._states[scope] = rebuilt(amounts, zone=reader.zone, explained=told)
            await asyncio.sleep(0)  # some 20 milliseconds each: others have the processor in between

    async def _tell(
        self,
        reader: HourReader,
        hour: datetime,
        until: datetime,
        amounts: Mapping[DetectorScope, HourMoney],
        scores: Mapping[DetectorScope, float],
        since: datetime,
        now: datetime,
        current: Sequence[Incident],
    ) -> None:
        """Open what of these scores is news, and tell again what has grown."""
        unusual = {scope: score for scope, score in scores.items() if score >= ALARM}
        if not unusual and not open_hourly(current):
            return
        look = hour_look(
            unusual,
            amounts,
            await self._known_histories(reader, [TENANT, *unusual]),
            hour=hour,
            since=since,
            zone=reader.zone,
            tenant=self.tenant,
            now=now,
            currency=reader.currency,
            until=until,
            rules=self.rules.of("hour"),
            page_score=page_score(self._states.values()),
            over=await reader.loops_over(hour),
            planned_over=await reader.planned_over(hour),
            wording=self.words(HourWording, now),
        )
        if proposed := look.proposals(current):
            told = open_of("anomaly", current)
            found = await explanations(self.shared, self.turn, self.rules, proposed, now, told)
            await tell(self.shared.store, self.tenant, replace(look, explanations=found), current)

    async def _follow(
        self, reader: HourReader, running: RunningHour, since: datetime, incident: Incident, now: datetime
    ) -> None:
        scope, wording = scope_of(incident.scope), self.words(HourWording, now)
        if why := in_other_money(incident, reader.currency):
            return await renew(self.shared.store, wording, incident, replace(incident, updated_at=now), why)
        going_on = HourGoingOn(
            history=(await self._known_histories(reader, [scope]))[scope],
            hours=[*reader.starts(incident.began_at, running.hour), running.hour],
            since=since,
            until=running.until,
            money=running.amounts.get(scope, HourMoney()),
            rate_per_hour=running.rate_per_hour(scope),
            zone=reader.zone,
            now=now,
        )
        renewed = going_on.renewed(incident)
        return await renew(self.shared.store, wording, incident, renewed, going_on.ending(renewed))

    async def _known_histories(
        self, reader: HourReader, scopes: Sequence[DetectorScope]
    ) -> Mapping[DetectorScope, Mapping[datetime, Decimal]]:
        """The four weeks before the hour that runs, read once an hour of those that are asked for."""
        assert self._complete_to is not None
        missing = [scope for scope in dict.fromkeys(scopes) if scope not in self._histories]
        if missing:
            self._histories |= await reader.histories(missing, self._complete_to)
        return self._histories

    def _reader_at(self, now: datetime) -> HourReader:
        calendar = self.rules.calendar
        stretch = calendar.stretch(now)
        if self._reader is None or (self._reader.calendar, self._reader.stretch) != (calendar, stretch):
            self._complete_to = None
            self._reader = HourReader(self.shared.pool, self.tenant, calendar, stretch, self.turn)
        return self._reader
