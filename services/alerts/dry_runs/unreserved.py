"""A rule of what is spent past reservations, replayed over hours: the looks of the watch. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.incidents.incident import Incident, open_of, resolved
from services.alerts.unreserved.unreserved import PastTold, UnreservedLook


class UnreservedReplay:
    """`look` for each moment in which something was counted, after `end` with what there was before; then
    `fired`. What opened before `counted_from`, or by another rule than `rule_id`, is not counted."""

    def __init__(self, rule_id: str, counted_from: datetime) -> None:
        self._rule_id, self._counted_from = rule_id, counted_from
        self._incidents: dict[UUID, Incident] = {}

    @property
    def told(self) -> list[PastTold]:
        """All that people were told of."""
        return [
            PastTold(each.scope["key_id"], datetime.fromisoformat(each.details["since"]), each.resolved_at)
            for each in self._incidents.values()
        ]

    @property
    def open_keys(self) -> set[str]:
        """Of which something is open."""
        return {each.scope["key_id"] for each in self._open}

    def look(self, look: UnreservedLook) -> None:
        """Tell what is news and what has doubled, and end what is over."""
        for incident in look.proposals(self._open):
            self._incidents[incident.id] = incident
        self.end(look)

    def end(self, look: UnreservedLook) -> None:
        """What is over, and what the others have come to."""
        for incident in self._open:
            ending, after = look.ending(incident), look.renewed(incident)
            self._incidents[incident.id] = resolved(after, ending, look.now) if ending else after

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with what was spent past reservations in it, as first booked."""
        return [
            WouldHaveFired(scope=each.scope, at=each.opened_at, amount=each.amount, messages=each.number + 1)
            for each in self._incidents.values()
            if each.opened_at >= self._counted_from and each.rule_id == self._rule_id
        ]

    @property
    def _open(self) -> list[Incident]:
        return open_of("unreserved", self._incidents.values())
