"""What one channel that takes everything is told, without a database: `Store` by the same pure decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.incidents.incident import Incident, event_of
from services.alerts.incidents.joining import (
    Pair,
    are_of_one_budget,
    are_pair,
    pairs,
    tellings,
    told_first,
    whole_of,
)
from services.alerts.incidents.snoozing import BUDGETED
from services.alerts.incidents.withheld import withheld
from spendmeter.contracts.incidents import IncidentEvent, Transition


@dataclass
class OneChannel:
    """`messages` is what it was sent, each with its time."""

    is_one_cause: Callable[[Pair, datetime], bool]
    """Whether enough of a budget's money is that of what spends."""
    incidents: dict[UUID, Incident] = field(default_factory=dict)
    messages: list[tuple[datetime, IncidentEvent]] = field(default_factory=list)
    _last: dict[str, Transition] = field(default_factory=dict)

    async def current(self, tenant: str, now: datetime) -> list[Incident]:
        """As far as anybody asks for it: what is open, or was within the day."""
        return [
            one
            for one in self.incidents.values()
            if one.resolved_at is None
            or now - one.resolved_at <= timedelta(days=1)
            or (one.kind == "budget" and one.period_end is not None and now < one.period_end)
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
            before = self.incidents.get(incident.id)
            if before is None or before.state == "resolved":
                incident = self._told_with(withheld(incident, current, [], now), current, now)
            if before is None:
                self._put(incident, "opened", now)
            elif incident.number == before.number + 1:
                self._put(incident, "repeated" if before.state == "resolved" else "grew", now)

    async def update(self, before: Incident, after: Incident) -> None:
        known = self.incidents[before.id]
        if (known.state, known.updated_at) == (before.state, before.updated_at):
            assert after.number == before.number, "nobody snoozes"
            self.incidents[after.id] = after

    async def resolve(self, before: Incident, after: Incident) -> None:
        known = self.incidents[before.id]
        if (known.state, known.updated_at) == (before.state, before.updated_at):
            self._put(replace(after, number=before.number + 1), "resolved", after.updated_at)

    def _told_with(self, incident: Incident, current: Sequence[Incident], now: datetime) -> Incident:
        if not incident.told:
            return incident
        same = [pair for pair in pairs(incident, current) if self.is_one_cause(pair, now)]
        whole = whole_of(incident, same, current, now) or told_first(incident, current, now)
        return incident if whole is None else replace(incident, parent=whole.id)

    def _put(self, incident: Incident, transition: Transition, at: datetime) -> None:
        self.incidents[incident.id] = incident
        if not incident.told:
            return
        event = event_of(incident, transition, at)
        if event.incident_id not in self._last:
            for each in self._tellings(incident, transition, at):
                last = self._last.get(str(each.before.id))
                if last is None or (last == "resolved" and transition not in ("acknowledged", "resolved")):
                    continue
                self.incidents[each.after.id] = each.after
                if each.event is not None:
                    self._send(each.event, at)
                return
        elif self._last[event.incident_id] == "resolved" == transition:
            return
        self._send(event, at)

    def _tellings(self, part: Incident, transition: Transition, at: datetime):  # type: ignore[no-untyped-def]
        whole = self.incidents.get(part.parent) if part.parent is not None else None
        if whole is None or not are_pair(whole, part):
            return []
        of = whole if whole.kind in BUDGETED else part
        same = [one for one in self.incidents.values() if one.told and are_of_one_budget(one, of)]
        same = sorted((one for one in same if one.id != part.id), key=lambda one: one.opened_at)
        thread = [whole, *same]
        ids = {one.id for one in thread}
        others = [
            one
            for one in self.incidents.values()
            if one.parent in ids and one.told and one.state != "resolved" and one.id != part.id
        ]
        return tellings(part, transition, thread, others, at)

    def _send(self, event: IncidentEvent, at: datetime) -> None:
        self.messages.append((at, event))
        self._last[event.incident_id] = event.transition
