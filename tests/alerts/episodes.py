"""A tenant's anomalies over hours, without a database: spend by the second, looks, and what people are told."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.alerts.bursts.anomalies import EVERYBODYS
from services.alerts.bursts.bursts import AnomalyLook
from services.alerts.bursts.expectations import Learned
from services.alerts.bursts.learning import Explained, History, learned_from
from services.alerts.bursts.minutes import Recent, spent_in
from services.alerts.bursts.seasons import Season
from services.alerts.cause.explanation import Explanation
from services.alerts.cause.leaves import Leaf, summed
from services.alerts.cause.search import find_causes
from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.words import Wording
from services.alerts.rates import over
from services.alerts.scopes import MINUTE, NAMING_ORDER, minutes_of
from spendmeter.book.split import split_change
from spendmeter.contracts.alert_rules import AlertRule

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FOLDED_MAX = 64


class Episodes:
    """`spend` and `pass_time`; `told` has each message as (minutes since the start, transition, scope)."""

    def __init__(
        self,
        start: datetime = START,
        look_every: timedelta = timedelta(seconds=10),
        rules: Sequence[AlertRule] = EVERYBODYS,
        season: Callable[[datetime], Season | None] = lambda now: None,
    ) -> None:
        self._season = season
        self.rules = rules
        self.start = self.now = start
        self.told: list[tuple[int, str, str]] = []
        self.titles: list[str] = []
        self.incidents: list[Incident] = []
        self.currency = "USD"
        self.explains = False
        """Whether what opens is explained, by the hour before it."""
        self.booked_until: datetime | None = None
        """Up to when the book is whole; None = up to now."""
        self._every = look_every
        self._minutes: dict[datetime, dict[tuple[str, ...], tuple[Decimal, int]]] = defaultdict(dict)
        self._folded: dict[datetime, str] = {}
        self._recent = Recent()
        self._learned: Learned
        self._learned_in: datetime | None = None

    def spend(self, amount: str | Decimal, calls: int = 1, **dimensions: str) -> None:
        """In this moment."""
        names = tuple(dimensions.get(name, "") for name in NAMING_ORDER)
        minute = self._minutes[self.now.replace(second=0)]
        known, events = minute.get(names, (Decimal(0), 0))
        minute[names] = (known + Decimal(amount), events + calls)

    def pass_time(self, minutes: float, each_minute: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Look every few seconds; `each_minute`: amounts by the name of an agent, each with its dimensions'
        values and `amount`, spent evenly."""
        until = self.now + timedelta(minutes=minutes)
        while self.now < until:
            for agent, flow in (each_minute or {}).items():
                dimensions = {name: value for name, value in flow.items() if name != "amount"}
                share = Decimal(flow["amount"]) * Decimal(self._every / MINUTE)
                self.spend(share, **{"agent": agent} | dimensions)
            self.now += self._every
            self.look()

    def count_in(self, currency: str) -> None:
        """From now on the tenant counts in this, and of other money nothing is seen."""
        self.currency = currency
        self._minutes.clear()
        self._recent, self._learned_in = Recent(), None

    def forget(self) -> None:
        """What was spent hours ago, when nothing is open that counts it."""
        for minute in sorted(self._minutes)[: -2 * FOLDED_MAX]:
            del self._minutes[minute]

    def look(self) -> None:
        """As the watch does."""
        minute = self.now.replace(second=0)
        if self._learned_in != minute:
            self._learn(minute)
        tested = [at for at in (minute - MINUTE, minute) if at >= self._learned.until and at in self._minutes]
        self._recent.look([row for at in tested for row in spent_in(at, self._fold(at))], self.now)
        look = AnomalyLook(
            tenant="acme", now=self.now, currency=self.currency, recent=self._recent, learned=self._learned,
            rules=self.rules,
            complete_through=self.now if self.booked_until is None else min(self.now, self.booked_until),
            wording=Wording(zone=ZoneInfo("UTC")),
        )  # fmt: skip
        if self.explains and (proposed := look.proposals(self.incidents)):
            found = {each.scope_digest: self._explanation(each) for each in proposed}
            look = replace(look, explanations=found)
        for incident in look.proposals(self.incidents):
            self._apply(incident)
        hot = look.hot(self.incidents)
        self.incidents = [self._followed(look, each, hot=each.id in hot) for each in self.incidents]

    def _apply(self, incident: Incident) -> None:
        known = {each.id: place for place, each in enumerate(self.incidents)}
        if incident.id not in known:
            self._tell("opened", incident)
            self.incidents.append(incident)
            return
        before = self.incidents[known[incident.id]]
        assert incident.number == before.number + 1
        self._tell("repeated" if before.state == "resolved" else "grew", incident)
        self.incidents[known[incident.id]] = incident

    def _followed(self, look: AnomalyLook, incident: Incident, *, hot: bool) -> Incident:
        if incident.state == "resolved":
            return incident
        if hot:
            amount = sum(
                (
                    amount
                    for at, rows in self._minutes.items()
                    if incident.began_at <= at <= self.now
                    for names, (amount, _) in rows.items()
                    if incident.scope.items() <= dict(zip(NAMING_ORDER, names, strict=True)).items()
                ),
                Decimal(0),
            )
            expected = over(incident.expected_per_hour, self.now - incident.began_at)
            incident = replace(incident, hot_at=self.now, amount=amount, expected=expected)
        if ending := look.ending(incident, hot):
            incident = replace(resolved(incident, ending, self.now), number=incident.number + 1)
            self._tell("resolved", incident)
        return incident

    def _tell(self, transition: str, incident: Incident) -> None:
        scope = ", ".join(incident.scope.values()) or "acme"
        self.told.append(((self.now - self.start) // MINUTE, transition, scope))
        self.titles.append(incident.title)

    def _learn(self, minute: datetime) -> None:
        history = sorted(at for at in self._minutes if at < minute)[-FOLDED_MAX:]
        self._folded = {at: self._folded.get(at) or self._fold(at) for at in history}
        explained = []
        for incident in (each for each in self.incidents if each.currency == self.currency):
            bursts = [(incident.began_at, incident.hot_at)]
            for began, ended in incident.details.get("earlier", {}).get("bursts", ()):
                bursts.append((datetime.fromisoformat(began), datetime.fromisoformat(ended)))
            explained += [
                Explained(
                    scope=incident.scope, first=began.replace(second=0) - MINUTE, last=ended + MINUTE,
                    usual=incident.expected_per_hour / 60,
                )
                for began, ended in bursts
            ]  # fmt: skip
        self._learned = learned_from(
            History(
                minutes=list(self._folded.items()),
                explained=explained,
                first_seen=None,
                now=self.now,
                season=self._season(self.now),
            )
        )
        self._learned_in = minute

    def _explanation(self, incident: Incident) -> dict[str, Any]:
        """As the book explains it, without a split."""
        began = incident.began_at
        first = max(began - 60 * MINUTE, self.start)
        lasted = minutes_of(self.now - began) / minutes_of(began - first)
        inside = [each.scope for each in self.incidents if each.scope.items() > incident.scope.items()]
        sums: dict[tuple[str, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        for at, rows in self._minutes.items():
            for names, (amount, _) in rows.items():
                values = dict(zip(NAMING_ORDER, names, strict=True)).items()
                if (
                    at >= first
                    and incident.scope.items() <= values
                    and not any(scope.items() <= values for scope in inside)
                ):
                    sums[names][at < began] += amount * (lasted if at < began else 1)
        dimensions = [name for name in NAMING_ORDER if name not in incident.scope]
        places = [NAMING_ORDER.index(name) for name in dimensions]
        leaves = [Leaf(tuple(names[place] for place in places), *both) for names, both in sums.items()]
        return Explanation(
            whole=summed(leaves),
            causes=find_causes(leaves, dimensions),
            contributors=(),
            split=split_change({}, {}),
        ).details()

    def _fold(self, minute: datetime) -> str:
        return json.dumps(
            [[names, str(amount), "0", events] for names, (amount, events) in self._minutes[minute].items()]
        )
