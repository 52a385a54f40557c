"""A rule of whole days, replayed over days that were: what would have been told after each midnight. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.incidents.incident import Incident, resolved
from services.alerts.levels.changes import LevelChange, changes_of
from services.alerts.levels.days import LevelDays
from services.alerts.levels.drifts import DriftLook, LevelDrift, drifts_of
from services.alerts.levels.folding import causes_of
from services.alerts.levels.shifts import ShiftLook, causes_among, told_levels
from services.alerts.levels.words import DriftWording, ShiftWording
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO


class LevelReplay:
    """Of each day, oldest first, `candidates` and then `look` with those that are news; then `fired`."""

    def __init__(self, rule: AlertRule, zone: ZoneInfo, currency: str) -> None:
        self._rule, self._zone, self._currency = rule, zone, currency
        self._incidents: dict[UUID, Incident] = {}
        self._messages: Counter[UUID] = Counter()

    def candidates(self, days: LevelDays) -> Iterable[LevelChange | None] | Iterable[LevelDrift | None]:
        """One after the other, None where nothing is news: each takes about a millisecond."""
        levels = told_levels(self._told())
        of = changes_of if self._rule.of == "shift" else drifts_of
        return of(self._rule, days, levels)

    def look(self, days: LevelDays, found: Sequence[Any], now: datetime) -> None:
        """What is told on the day after `days`, what goes on, and what is over."""
        look = self._look(days, found, now)
        for incident in look.proposals(list(self._incidents.values())):
            self._messages[incident.id] += 1
            self._incidents[incident.id] = incident
        for incident in list(self._incidents.values()):
            if incident.state != "resolved":
                after = look.renewed(incident)
                ending = look.ending(incident)
                self._incidents[incident.id] = resolved(after, ending, now) if ending else after

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told, each with what it came to over what was usual."""
        return [
            WouldHaveFired(
                scope=each.scope,
                at=each.opened_at,
                amount=max(ZERO, EXACT.subtract(each.amount, each.expected)),
                messages=self._messages[each.id],
            )
            for each in self._incidents.values()
        ]

    def _look(self, days: LevelDays, found: Sequence[Any], now: datetime) -> ShiftLook | DriftLook:
        about: dict[str, Any] = {
            "tenant": "", "now": now, "zone": self._zone, "currency": self._currency, "rule": self._rule,
            "days": days,
        }  # fmt: skip
        if self._rule.of == "shift":
            causes = causes_among(found, days, told_levels(self._told()))
            return ShiftLook(**about, causes=causes, wording=ShiftWording(zone=self._zone))
        return DriftLook(**about, causes=causes_of(found, ZERO), wording=DriftWording(zone=self._zone))

    def _told(self) -> list[dict[str, Any]]:
        newest = sorted(self._incidents.values(), key=lambda each: (each.opened_at, each.id), reverse=True)
        return [{name: getattr(each, name) for name in _ROW} for each in newest]


_ROW = ("kind", "state", "scope", "details", "opened_at")
"""What is read of incidents by who watches (`told` in levels.sql)."""
