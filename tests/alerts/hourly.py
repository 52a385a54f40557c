"""A tenant's hours over weeks, without a database: the watch itself, on hours that are worked out by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from services.alerts.bursts.seasons import HOUR
from services.alerts.hours.hour_reader import ExplainedSpan, HourReader, RunningHour
from services.alerts.hours.scoring import HourMoney
from services.alerts.incidents.incident import Incident, resolved
from services.alerts.incidents.withheld import PlannedWindow, withheld
from services.alerts.rules import EVERYBODYS, TenantRules
from services.alerts.scopes import TENANT, DetectorScope
from services.alerts.turns import Turns
from services.alerts.watches import hours
from services.alerts.watches.hours import HourWatch
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.terms import Stretch, Terms, Timeline
from spendmeter.platform.telemetry import Meters

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
"""The time between two looks."""


def local_hour(at: datetime, zone: tzinfo) -> datetime:
    """When the hour of a clock began that is never put forward or back by half an hour."""
    local = at.astimezone(zone)
    return at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


Spending = Callable[[datetime], float]
"""What an hour that begins then comes to, spent evenly."""


@dataclass
class Tenant:
    """Scopes, each with what its hours come to; `watch` over a stretch of time, `told` is what people hear."""

    agents: Mapping[str, Spending]
    zone: str = "UTC"
    calendar: Timeline | None = None
    """Of one who moves; of others it is the zone's."""
    since: datetime = MONDAY - timedelta(days=35)
    teams: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[AlertRule] = tuple(EVERYBODYS.values())
    windows: Sequence[PlannedWindow] = ()
    step: timedelta = STEP
    incidents: list[Incident] = field(default_factory=list)
    told: list[tuple[datetime, str, str]] = field(default_factory=list)
    unheard: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known: dict[datetime, dict[DetectorScope, HourMoney]] = {}
        self.now = MONDAY
        calendar = self.calendar or Timeline([(None, Terms(zone=ZoneInfo(self.zone)))])
        shared = _Shared(store=self, complete=self, meters=Meters())
        rules = TenantRules(calendar=calendar, budgets=(), rules=tuple(self.rules))
        self.new_worker = lambda: HourWatch(tenant="acme", rules=rules, shared=cast(Any, shared))
        self.worker = self.new_worker()

    async def watch(self, hours: float) -> None:
        end = self.now + hours * HOUR
        while self.now < end:
            self.now += self.step
            await self.worker.look(self.now)

    # What the watch reads of hours.

    def money(self, hour: datetime) -> Mapping[DetectorScope, HourMoney]:
        if hour not in self._known:
            found: dict[DetectorScope, HourMoney] = {}
            for agent, spending in self.agents.items():
                amount = HourMoney(Decimal(str(round(spending(hour), 4))), 100)
                if amount.amount > 0:
                    scopes = [TENANT, ("agent", agent)]
                    scopes += [("team", self.teams[agent])] if agent in self.teams else []
                    for scope in scopes:
                        found[scope] = found.get(scope, HourMoney()).plus(amount)
            self._known[hour] = found
        return self._known[hour]

    # What it asks the store.

    async def current(self, tenant: str, now: datetime) -> list[Incident]:
        return [
            one for one in self.incidents if one.resolved_at is None or now - one.resolved_at <= 24 * HOUR
        ]

    async def rerating(self, tenant: str) -> bool:
        return False

    async def key_names(self, tenant: str, ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def open(
        self, tenant: str, now: datetime, propose: Callable[[Sequence[Incident]], Iterable[Incident]]
    ) -> None:
        current = await self.current(tenant, now)
        for incident in propose(current):
            before = next((one for one in self.incidents if one.id == incident.id), None)
            if before is None or before.state == "resolved":
                incident = withheld(incident, current, self.windows, now)
            again = "opened" if before is None else "repeated" if before.state == "resolved" else "grew"
            assert before is None or incident.number == before.number + 1
            self._put(incident, again)

    async def update(self, before: Incident, after: Incident) -> None:
        if self._is_as_it_was(before):
            self._put(after, "")

    async def resolve(self, before: Incident, after: Incident) -> None:
        if self._is_as_it_was(before):
            over = replace(resolved(after, after.resolution, self.now), number=before.number + 1)
            self._put(over, "resolved")

    def _is_as_it_was(self, before: Incident) -> bool:
        [now] = [one for one in self.incidents if one.id == before.id]
        return (now.state, now.updated_at) == (before.state, before.updated_at)

    def _put(self, incident: Incident, transition: str) -> None:
        self.incidents = [one for one in self.incidents if one.id != incident.id] + [incident]
        if transition and not incident.told:
            self.unheard.append(incident)
        elif transition:
            self.told.append((self.now, transition, ", ".join(incident.scope.values()) or "acme"))

    # How far the book is.

    async def read(self) -> Tenant:
        return self

    def booked_by(self, now: datetime) -> datetime:
        return now


@dataclass
class _Shared:
    store: Tenant
    complete: Tenant
    meters: Meters
    portal_url: str = ""
    pool: None = None
    turns: Turns = field(default_factory=Turns)
    bill_keys: None = None


class FunctionReader(HourReader):
    """As `HourReader`, of a `Tenant` without a database."""

    def __init__(self, asked: Tenant, calendar: Timeline, stretch: Stretch) -> None:
        super().__init__(cast(Any, None), "acme", calendar, stretch, cast(Any, None))
        self.asked = asked

    async def read_on(self, through: datetime, bill_keys: object) -> RunningHour | None:
        hour, end = bucket_at("hour", through, self.calendar)
        part, lately = (through - hour) / (end - hour), self.asked.step / (end - hour)
        whole = self.asked.money(hour)

        def share(of: float) -> dict[DetectorScope, HourMoney]:
            part = Decimal(str(round(of, 6)))
            return {
                scope: HourMoney(money.amount * part, round(money.events * of))
                for scope, money in whole.items()
            }

        self.running = RunningHour(hour, through, share(part), share(lately), self.asked.step)
        return self.running

    async def is_settled(self, hour: datetime) -> bool:
        return self.asked.now - hour >= HOUR + timedelta(minutes=10)

    async def hours(
        self, scopes: Sequence[DetectorScope], first: datetime, end: datetime
    ) -> dict[DetectorScope, dict[datetime, HourMoney]]:
        each = self.starts(max(first, await self.known_since()), end)
        return {
            scope: {at: self.asked.money(at)[scope] for at in each if scope in self.asked.money(at)}
            for scope in scopes
        }

    async def explained(self, since: datetime) -> list[ExplainedSpan]:
        return [ExplainedSpan.of(one) for one in self.asked.incidents] + [
            ExplainedSpan(each.filter, (), each.starts_at, each.ends_at) for each in self.asked.windows
        ]

    async def known_since(self) -> datetime:
        return max(self.asked.since, self.calendar.currency_since(self.stretch.start))

    async def loops_over(self, hour: datetime) -> list[Incident]:
        return []

    async def planned_over(self, hour: datetime) -> list[Mapping[str, str]]:
        return [
            each.filter
            for each in self.asked.windows
            if each.starts_at < hour + HOUR and hour < each.ends_at <= self.asked.now
        ]


@pytest.fixture
def hourly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tenant]:
    """Makes a tenant whose hours the watch looks at; nothing is explained."""

    async def nothing(*asked: object) -> dict[bytes, Any]:
        return {}

    def make(agents: Mapping[str, Spending], **settings: Any) -> Tenant:
        tenant = Tenant(agents, **settings)
        monkeypatch.setattr(
            hours,
            "HourReader",
            lambda pool, name, calendar, *asked: FunctionReader(tenant, calendar, asked[0]),
        )
        monkeypatch.setattr(hours, "explanations", nothing)
        return tenant

    return make
