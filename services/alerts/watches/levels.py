"""Looks at one tenant's complete days, once each: what lastingly rose, and what the same work costs more."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from services.alerts.incidents.following import renew, tell
from services.alerts.incidents.incident import Incident
from services.alerts.levels.changes import changes_of
from services.alerts.levels.days import DAY, LevelDays, all_of
from services.alerts.levels.drifts import DriftLook, drifts_of
from services.alerts.levels.folding import causes_of
from services.alerts.levels.lasting import WEEK, WEEKS
from services.alerts.levels.level_reader import LevelReader
from services.alerts.levels.looks import PAGES_A_DAY
from services.alerts.levels.prices import PricedUse, unit_prices
from services.alerts.levels.shifts import ShiftLook, causes_among, told_levels
from services.alerts.levels.splits import split_of
from services.alerts.levels.words import DriftWording, LevelWording, ShiftWording
from services.alerts.scopes import DetectorScope
from services.alerts.watches.look import Look, Rhythm
from spendmeter.contracts.alert_rules import RULE_KINDS, AlertRule
from spendmeter.contracts.money import EXACT, ZERO

Newsworthy = TypeVar("Newsworthy")
SETTLING = timedelta(minutes=30)
"""After midnight: what was spent before it, and accepted by then, is in the day that is judged."""
PATIENCE = timedelta(hours=6)
"""Where late events never cease it is judged then, with what there is."""
SLICE = 20
"""Scopes that are looked at before others have the processor, some tens of milliseconds."""
WORDINGS: Mapping[str, type[LevelWording]] = {"shift": ShiftWording, "drift": DriftWording}
"""By the incident's kind."""


@dataclass(frozen=True)
class SeenDays:
    """What was read of complete days, at `now`."""

    days: LevelDays
    prices: Sequence[PricedUse]
    told: Sequence[Mapping[str, Any]]
    """Incidents about levels."""
    now: datetime


@dataclass(eq=False, kw_only=True)
class LevelWatch(Look):
    """A `Look` at levels. It keeps nothing but which day it has judged: all is read anew once a day."""

    of = "levels"
    rhythm = Rhythm(every_s=300.0, rest_s_max=600.0, woken=False, awaited=False)
    _judged: object = None
    """The last day, by which rules, and what people had accepted: of others it is judged again."""

    async def look(self, now: datetime) -> None:
        """Judge the last day once it is complete: open what rose, renew what goes on, end what is over."""
        rules = [rule for kind in WORDINGS for rule in self.rules.of(kind)]
        current = await self.shared.store.current(self.tenant, now)
        ours = [one for one in current if one.kind in WORDINGS and one.state != "resolved"]
        if not rules and not ours:
            return
        reader = self._reader(now)
        acknowledged = frozenset(one.id for one in ours if one.state == "acknowledged")
        judged = (reader.last, tuple((rule.id, rule.revision) for rule in rules), acknowledged)
        if judged == self._judged or not await self._is_complete(reader, now):
            return
        async with self.shared.judging:
            await self._judge(reader, rules, current, ours, now)
        self._judged = judged

    async def _judge(
        self,
        reader: LevelReader,
        rules: Sequence[AlertRule],
        current: Sequence[Incident],
        ours: Sequence[Incident],
        now: datetime,
    ) -> None:
        particular = [next(iter(rule.filter.items())) for rule in rules if len(rule.filter) == 1]
        scopes = list(dict.fromkeys([*await reader.scopes(), *particular]))
        if not scopes and not ours:
            return  # nobody spends
        prices = await reader.prices()
        days = await reader.days(scopes, prices)
        seen = SeenDays(days, prices, await reader.told(), now)
        told: set[DetectorScope] = set()
        looks: list[ShiftLook | DriftLook] = []
        for rule in self.rules.of("shift"):
            look = await self._shift_look(rule, reader, seen)
            told |= {each.scope for cause in look.causes for each in (cause.told, *cause.folded)}
            looks.append(look)
        looks += [await self._drift_look(rule, reader, seen, told) for rule in self.rules.of("drift")]
        for each in looks:
            await self._act(each, current, [one for one in ours if one.rule_id == each.rule.id])
        await self._end_the_rest([one for one in ours if one.rule_id not in {rule.id for rule in rules}], now)

    async def _act(
        self, look: ShiftLook | DriftLook, current: Sequence[Incident], ours: Sequence[Incident]
    ) -> None:
        store = self.shared.store
        await tell(store, self.tenant, look, current)
        for incident in ours:
            ending = look.ending(incident)
            if ending or incident.details["through"] != look.days.last.isoformat():
                await renew(store, look.wording, incident, look.renewed(incident), ending)

    async def _end_the_rest(self, ours: Sequence[Incident], now: datetime) -> None:
        """Those of rules that were switched off."""
        for incident in ours:
            words = self.words(WORDINGS[incident.kind], now)
            ended = replace(incident, updated_at=now)
            await renew(self.shared.store, words, incident, ended, "the rule was switched off")

    def _reader(self, now: datetime) -> LevelReader:
        calendar = self.rules.calendar
        zone = calendar.at(now).zone
        last: date = now.astimezone(zone).date() - DAY
        return LevelReader(self.shared.pool, self.tenant, calendar, last, self.turn)

    async def _is_complete(self, reader: LevelReader, now: datetime) -> bool:
        midnight = reader.midnight(reader.last + DAY)
        booked = (await self.shared.complete.read()).booked_by(now)
        if booked is None or booked < midnight + SETTLING:
            return False
        return await reader.is_settled(patient=now < midnight + PATIENCE)

    async def _shift_look(self, rule: AlertRule, reader: LevelReader, seen: SeenDays) -> ShiftLook:
        levels = told_levels(seen.told)
        rose = await news(changes_of(rule, seen.days, levels))
        causes = causes_among(rose, seen.days, levels)
        splits = {
            each.scope: await self._split(each.scope, each.since, each.lasting.expected, reader, seen)
            for each in (cause.told for cause in causes[:PAGES_A_DAY])
        }
        return ShiftLook(**self._about(rule, reader, seen), causes=causes, splits=splits)

    async def _drift_look(
        self, rule: AlertRule, reader: LevelReader, seen: SeenDays, told: Collection[DetectorScope]
    ) -> DriftLook:
        """`told`: scopes whose rise is told already, or just now."""
        dearer = await news(drifts_of(rule, seen.days, told_levels(seen.told)))
        causes = causes_of([drift for drift in dearer if drift.scope not in told], ZERO)
        splits = {}
        for drift in (cause.told for cause in causes[:PAGES_A_DAY]):
            calls = all_of(seen.days.since(drift.scope, drift.since), "calls")
            expected = EXACT.multiply(drift.cost_before, calls)
            splits[drift.scope] = await self._split(drift.scope, drift.since, expected, reader, seen)
        return DriftLook(**self._about(rule, reader, seen), causes=causes, splits=splits)

    def _about(self, rule: AlertRule, reader: LevelReader, seen: SeenDays) -> dict[str, Any]:
        """What both looks are made with."""
        zone = self.rules.calendar.at(seen.now).zone
        self.evaluated(rule.of, len(seen.days.by_scope))
        words = self.words(WORDINGS[RULE_KINDS[rule.of].kind], seen.now)
        about = {"tenant": self.tenant, "now": seen.now, "zone": zone, "currency": reader.currency}
        return about | {"rule": rule, "days": seen.days, "wording": words}

    async def _split(
        self, scope: DetectorScope, since: date, expected: Decimal, reader: LevelReader, seen: SeenDays
    ) -> Mapping[str, str]:
        """Why it costs more than expected since it rose; {} where nothing was spent before."""
        known = (since - seen.days.first).days
        before_days = min(WEEKS * WEEK, known) // WEEK * WEEK
        worth = all_of(seen.days.of(scope)[known - before_days : known], "worth")
        if worth <= 0:
            return {}
        uses = await reader.uses(scope, since, before_days)
        then = unit_prices(each for each in seen.prices if each.day < since)
        now = unit_prices(each for each in seen.prices if each.day >= since)
        return split_of(uses, expected, worth, then, now)


async def news(found: Iterable[Newsworthy | None]) -> list[Newsworthy]:
    """What is news among scopes, some at a time: others have the processor in between."""
    told = []
    for number, each in enumerate(found):
        if each is not None:
            told.append(each)
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return told
