"""A rule of hours, replayed over a tenant's hours: the functions that watch, fed with what was. Pure.

It judges each hour once, as a whole, where the watch looks every five minutes from the tenth on. What it
would have told explains itself and teaches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.detect.scope import ALARM, observe, score_open
from services.alerts.detect.state import ScopeState
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.replayed import Replayed
from services.alerts.hours.going_on import HourGoingOn
from services.alerts.hours.hour_reader import HISTORY, ExplainedSpan
from services.alerts.hours.hours import hour_look
from services.alerts.hours.scoring import HourMoney, page_score
from services.alerts.hours.words import HourWording
from services.alerts.incidents.incident import Incident, open_of
from services.alerts.levels.days import scope_of
from services.alerts.scopes import TENANT, DetectorScope
from spendmeter.contracts.alert_rules import AlertRule

SLICE = 20
"""Scopes that are judged, or teach, before others have the processor: a millisecond."""


class HourReplay:
    """`hour` for each, with its end, in their order and without a gap, each to its end; then `fired`.

    `spent`: what the scopes came to in each hour with spend, the tenant's among them; `known_since`: from
    when on that is known. Hours before `counted_from` teach, and are not judged.
    """

    def __init__(
        self,
        rule: AlertRule,
        zone: ZoneInfo,
        currency: str,
        spent: Mapping[DetectorScope, Mapping[datetime, HourMoney]],
        *,
        known_since: datetime,
        counted_from: datetime,
    ) -> None:
        self._rule, self._zone, self._currency, self._spent = rule, zone, currency, spent
        self._known_since, self._counted_from = known_since, counted_from
        self._states = {scope: ScopeState() for scope in spent}
        self._replayed = Replayed(counted_from)
        self._hours: list[datetime] = []

    def hour(self, hour: datetime, end: datetime) -> Iterator[None]:
        """Judge the hour and learn from it; others may have the processor at each step."""
        self._hours.append(hour)
        amounts = {scope: hours[hour] for scope, hours in self._spent.items() if hour in hours}
        if hour >= self._counted_from:
            yield from self._judge(hour, end, amounts)
        spans = [ExplainedSpan.of(each) for each in self._replayed.known if each.hot_at > hour]
        for number, (scope, money) in enumerate(amounts.items()):
            told = any(span.holds(scope, hour) for span in spans)
            observe(
                self._states[scope],
                hour,
                float(money.amount),
                zone=self._zone,
                unit=money.unit,
                explained=told,
            )
            if number % SLICE == SLICE - 1:
                yield
        yield

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with what it came to over what was usual."""
        return self._replayed.fired()

    def _judge(
        self, hour: datetime, now: datetime, amounts: Mapping[DetectorScope, HourMoney]
    ) -> Iterator[None]:
        least = self._rule.number("amount_min")
        self._replayed.forget(now)
        unusual: dict[DetectorScope, float] = {}
        at_stake = [scope for scope, money in amounts.items() if money.amount >= least]
        for number, scope in enumerate(at_stake):
            score = self._score(scope, hour, amounts[scope])
            if score >= ALARM:
                unusual[scope] = score
            if number % SLICE == SLICE - 1:
                yield
        for incident in self._open():
            self._replayed.renew(self._going_on(incident, now).renewed(incident), "", now)
            yield
        if unusual or self._open():
            self._tell(hour, now, amounts, unusual)
        for incident in self._open():
            self._replayed.renew(incident, self._going_on(incident, now).ending(incident), now)

    def _score(self, scope: DetectorScope, hour: datetime, money: HourMoney) -> float:
        amount, unit = float(money.amount), money.unit
        return score_open(self._states[scope], hour, amount, share=1.0, zone=self._zone, unit=unit).score

    def _tell(
        self,
        hour: datetime,
        now: datetime,
        amounts: Mapping[DetectorScope, HourMoney],
        unusual: Mapping[DetectorScope, float],
    ) -> None:
        look = hour_look(
            unusual,
            amounts,
            {scope: self._history(scope, now) for scope in (TENANT, *unusual)},
            hour=hour,
            since=self._known_since,
            zone=self._zone,
            tenant="",
            now=now,
            currency=self._currency,
            until=now,
            rules=[self._rule],
            page_score=page_score(self._states.values()),
            wording=HourWording(zone=self._zone),
        )
        for incident in look.proposals(self._replayed.known):
            self._replayed.tell(incident)

    def _open(self) -> list[Incident]:
        return open_of("anomaly", self._replayed.known)

    def _going_on(self, incident: Incident, now: datetime) -> HourGoingOn:
        """The incident's scope as the hour that begins `now` finds it."""
        scope = scope_of(incident.scope)
        return HourGoingOn(
            history=self._history(scope, now),
            hours=[*(hour for hour in self._hours if hour >= incident.began_at), now],
            since=self._known_since,
            until=now,
            money=HourMoney(),
            rate_per_hour=self._spent[scope].get(self._hours[-1], HourMoney()).amount,
            zone=self._zone,
            now=now,
        )

    def _history(self, scope: DetectorScope, end: datetime) -> dict[datetime, Decimal]:
        """Its four weeks before `end`."""
        return {at: money.amount for at, money in self._spent[scope].items() if end - HISTORY <= at < end}
