"""The book lags behind what was accepted, as each tenant is told whose events may wait. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    opened,
    with_figures,
)
from services.alerts.scopes import MINUTE
from services.alerts.silence.sources import in_minutes
from services.alerts.silence.words import MINUTES, SilenceWording
from spendmeter.contracts.alert_rules import AlertRule

SENT_WITHIN = timedelta(hours=1)
"""Of which tenant events wait nobody knows before they are booked: told is who sent within so long before."""
CALM = 2
"""It is over below half of what it takes."""


@dataclass(frozen=True, kw_only=True)
class LagLook:
    """How far the book is behind, at one moment."""

    tenant: str
    now: datetime
    through: datetime | None
    """Up to when all that was accepted is booked; None = since this worker listens it was not."""
    listens_since: datetime
    sent_at: datetime | None
    """The newest minute in which the tenant has sent, as far as is booked."""
    rule: AlertRule
    wording: SilenceWording

    @property
    def behind(self) -> timedelta:
        """How far, at least."""
        return max(timedelta(), self.now - self._since)

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """The incident to open, where none is."""
        if any(is_lag(each) for each in current) or self.sent_at is None:
            return []
        limit = self._limit
        if min(self.behind, self.now - self.listens_since) < limit:
            return []  # a worker that starts before the ledger sees an old position for a moment
        if self.sent_at < self._since - SENT_WITHIN:
            return []
        incident = opened(
            self.now,
            self._figures,
            tenant=self.tenant,
            kind="silence",
            **by_rule(self.rule, self._since),
            scope={},
            currency=MINUTES,
            details={"subject": "lag"},
        )
        return [self.wording.with_words(incident)]

    def ending(self, incident: Incident) -> str:
        """Why it is over; '' = it is not."""
        caught_up = self.through is not None and CALM * self.behind < self._limit
        return "the book has caught up" if caught_up else ""

    def renewed(self, incident: Incident) -> Incident:
        """The incident with how far it is behind now; what it came to at most stays when it is over."""
        if self.ending(incident):
            return replace(incident, updated_at=self.now)
        return with_figures(incident, self._figures, self.now)

    @property
    def _since(self) -> datetime:
        return self.through or self.listens_since

    @property
    def _limit(self) -> timedelta:
        return int(self.rule.number("lag_minutes_min")) * MINUTE

    @property
    def _figures(self) -> IncidentFigures:
        return IncidentFigures(
            amount=in_minutes(self.behind),
            expected=in_minutes(self._limit),
        )


def is_lag(incident: Incident) -> bool:
    """Whether it is one that says that the book lags, and open."""
    return incident.state != "resolved" and incident.details.get("subject") == "lag"
