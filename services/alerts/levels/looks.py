"""What shifts and drifts have in common: how incidents about levels are opened, explained and ended. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from services.alerts.incidents.incident import Incident, IncidentFigures, by_rule, in_other_money, opened
from services.alerts.incidents.words import Wording
from services.alerts.levels.days import LevelDays, named
from services.alerts.scopes import DetectorScope
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import IncidentKind
from spendmeter.contracts.periods import day_start

NEW_LEVEL_AFTER = timedelta(days=14)
"""What goes on for so long is how it is now: people were told, and nobody has changed it."""
PAGES_A_DAY = 3
"""Of a tenant, by one rule: the dearest. What is left is there tomorrow, too."""
FOLDED_MAX = 50
BACK = "it is back at its usual level"


@dataclass(frozen=True, kw_only=True)
class LevelLook(ABC):
    """One tenant's complete days, at one moment."""

    kind: ClassVar[IncidentKind]
    tenant: str
    now: datetime
    zone: ZoneInfo
    currency: str
    rule: AlertRule
    days: LevelDays
    splits: Mapping[DetectorScope, Mapping[str, str]] = field(default_factory=dict)
    """Why it costs more, of scopes that are told."""
    wording: Wording

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        if (incident.rule_id, incident.rule_revision) != (self.rule.id, self.rule.revision):
            return "the rule was changed"
        if other := in_other_money(incident, self.currency):
            return other
        if incident.state == "acknowledged":
            return "somebody has seen it: it is the new level"
        if self._is_back(incident):
            return BACK
        if self.now - incident.opened_at >= NEW_LEVEL_AFTER:
            return f"it is the new level, for {NEW_LEVEL_AFTER.days} days now"
        return ""

    def renewed(self, incident: Incident) -> Incident:
        """The incident with what its scope has come to by the last complete day."""
        if in_other_money(incident, self.currency):
            return replace(incident, updated_at=self.now)
        return self._as_of_today(incident)

    @abstractmethod
    def _as_of_today(self, incident: Incident) -> Incident:
        """One of the tenant's money of now."""

    @abstractmethod
    def _is_back(self, incident: Incident) -> bool:
        """Whether its last days are nearer to what was than to what was told."""

    def _opened(
        self, scope: DetectorScope, since: date, figures: IncidentFigures, details: dict[str, Any]
    ) -> Incident:
        """An incident of what has risen since that day."""
        began = day_start(since, self.zone)
        if split := self.splits.get(scope):
            details = details | {"explanation": {"causes": [], "narrowed": True, "split": dict(split)}}
        return opened(
            self.now,
            figures,
            tenant=self.tenant,
            kind=self.kind,
            **by_rule(self.rule, began),
            scope=named(scope),
            currency=self.currency,
            details=details,
        )
