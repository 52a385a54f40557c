"""A catalog that nobody has renewed for long: what is priced by it may be wrong. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    opened,
    with_figures,
)
from services.alerts.silence.words import DAYS, SilenceWording
from spendmeter.contracts.alert_rules import AlertRule

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class CatalogFacts:
    """What is known of everybody's prices, and a tenant's own."""

    priced_at: datetime | None
    """When a price was last published."""
    pulled_at: datetime | None
    """When price lists were last read whole, by a pull."""
    failed_at: datetime | None
    """When a pull last came to nothing."""
    says: str
    """Why it did."""
    scheduled: bool
    """Whether price lists are pulled by themselves."""

    @property
    def renewed_at(self) -> datetime | None:
        """When it was last known to be right; None = there is no price at all."""
        return max(filter(None, (self.priced_at, self.pulled_at)), default=None)


@dataclass(frozen=True, kw_only=True)
class CatalogLook:
    """The catalog at one moment, for one tenant."""

    tenant: str
    now: datetime
    facts: CatalogFacts
    spends: bool
    """Whether the tenant spends."""
    rule: AlertRule
    wording: SilenceWording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """The incident to open, where none is."""
        renewed_at, facts = self.facts.renewed_at, self.facts
        if renewed_at is None or not self._is_stale or not (self.spends or facts.scheduled):
            return []
        if any(is_catalog(each) for each in current):
            return []
        incident = opened(
            self.now,
            self._figures(renewed_at),
            tenant=self.tenant,
            kind="silence",
            **by_rule(self.rule, renewed_at, severity=self.rule.severity if facts.scheduled else "info"),
            scope={},
            currency=DAYS,
            details={"subject": "catalog", "scheduled": facts.scheduled, "says": self._reason},
        )
        return [self.wording.with_words(incident)]

    def ending(self, incident: Incident) -> str:
        """Why it is over; '' = it is not."""
        return "" if self._is_stale else "the price lists were renewed"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with its age of now."""
        return with_figures(incident, self._figures(incident.began_at), self.now)

    @property
    def _is_stale(self) -> bool:
        renewed_at = self.facts.renewed_at
        return renewed_at is not None and self.now - renewed_at >= self._limit

    @property
    def _limit(self) -> timedelta:
        return int(self.rule.number("catalog_days_min")) * DAY

    @property
    def _reason(self) -> str:
        failed, renewed = self.facts.failed_at, self.facts.renewed_at
        return self.facts.says if failed is not None and renewed is not None and failed > renewed else ""

    def _figures(self, renewed_at: datetime) -> IncidentFigures:
        return IncidentFigures(
            amount=Decimal((self.now - renewed_at) // DAY),
            expected=Decimal(self._limit // DAY),
        )


def is_catalog(incident: Incident) -> bool:
    """Whether it is one that says that the catalog is stale, and open."""
    return incident.state != "resolved" and incident.details.get("subject") == "catalog"
