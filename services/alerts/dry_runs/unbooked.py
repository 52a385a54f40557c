"""A rule of what is not booked, replayed over minutes: the looks of the watch, one by one. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.incidents.incident import COOL_DOWN, Incident, open_of, resolved
from services.alerts.unbooked.unbooked import UnbookedLook
from services.alerts.unbooked.words import PER_HOUR


class UnbookedReplay:
    """`look` for each moment in their order; then `fired`. What opened before `counted_from`, or by another
    rule than `rule_id`, is not counted."""

    def __init__(self, rule_id: str, counted_from: datetime) -> None:
        self._rule_id, self._counted_from = rule_id, counted_from
        self._incidents: dict[UUID, Incident] = {}

    @property
    def is_open(self) -> bool:
        """Whether anything is: then each minute says whether it is over."""
        return bool(self._open)

    def look(self, look: UnbookedLook) -> None:
        """Tell what is news, and end what is over."""
        for incident in look.proposals(self._current(look.now)):
            self._incidents.setdefault(incident.id, incident)
        for incident in self._open:
            ending, after = look.ending(incident), look.renewed(incident)
            self._incidents[incident.id] = resolved(after, ending, look.now) if ending else after

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with the most events that were not booked within five minutes."""
        return [
            WouldHaveFired(scope=each.scope, at=each.opened_at, amount=each.peak_per_hour // PER_HOUR)
            for each in self._incidents.values()
            if each.opened_at >= self._counted_from and each.rule_id == self._rule_id
        ]

    @property
    def _open(self) -> list[Incident]:
        return open_of("unbooked", self._incidents.values())

    def _current(self, now: datetime) -> list[Incident]:
        """What is open, or was until a moment ago."""
        return [
            each
            for each in self._incidents.values()
            if each.resolved_at is None or now - each.resolved_at < COOL_DOWN
        ]
