"""A rule of silence, replayed over when sources were heard: the looks of the watch, one by one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.incidents.incident import Incident, open_of, resolved
from services.alerts.rates import over, per_hour
from services.alerts.silence.sources import GONE, SourceLook, still_silent
from spendmeter.contracts.money import total

DAY = timedelta(days=1)
NAMED_MAX = 3


class SilenceReplay:
    """`look` for each moment in their order; then `fired`, without what opened before `counted_from`."""

    def __init__(self, counted_from: datetime) -> None:
        self._counted_from = counted_from
        self._told: dict[UUID, Incident] = {}
        self._until = counted_from

    @property
    def silent_keys(self) -> set[str]:
        """Those that people were told of, and that are not back."""
        return {member["key_id"] for each in self._open for member in still_silent(each)}

    def look(self, look: SourceLook) -> None:
        """Tell what is silent, and twice as much; end what is heard again."""
        self._until = look.through
        for incident in look.proposals(self._open):
            known = self._told.get(incident.id)
            if known is None or incident.number > known.number:
                self._told[incident.id] = incident
        for incident in self._open:
            ending, after = look.ending(incident), look.renewed(incident)
            self._told[incident.id] = resolved(after, ending, look.now) if ending else after

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with what its sources usually spend from then until they are back."""
        return [
            WouldHaveFired(
                scope=each.scope or {"key_id": _names(each)},
                at=each.opened_at,
                amount=total(self._missing(member, each) for member in each.details["sources"]),
                messages=each.number + 1,
            )
            for each in self._told.values()
            if each.opened_at >= self._counted_from
        ]

    @property
    def _open(self) -> list[Incident]:
        return open_of("silence", self._told.values())

    def _missing(self, member: Mapping[str, Any], incident: Incident) -> Decimal:
        back = member["back_at"]
        end = incident.resolved_at or self._until
        if back and back != GONE:
            end = datetime.fromisoformat(back)
        return over(
            per_hour(Decimal(member["amount_a_day"]), DAY), max(timedelta(), end - incident.opened_at)
        )


def _names(incident: Incident) -> str:
    """Of several sources that are told together."""
    keys = [member["key_id"] for member in incident.details["sources"]]
    more = f" and {len(keys) - NAMED_MAX} more" if len(keys) > NAMED_MAX else ""
    return ", ".join(keys[:NAMED_MAX]) + more
