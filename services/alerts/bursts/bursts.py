"""What follows from one look at a tenant's last minutes: what to open, what goes on, what is over. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.bursts.anomalies import RULE, RULE_NAME, RULE_REVISION, Anomaly, detect, is_hot
from services.alerts.bursts.expectations import Learned
from services.alerts.bursts.minutes import Recent, by_series
from services.alerts.counting.counters import CounterSum
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.incident import (
    EPOCH,
    Incident,
    IncidentFigures,
    opened,
    scope_of,
    top_contributor,
)
from services.alerts.incidents.words import Wording
from services.alerts.rates import over
from services.alerts.scopes import MINUTE, TENANT
from spendmeter.contracts.money import EXACT, ZERO, quantised, total
from spendmeter.contracts.series import Series

QUIET = timedelta(minutes=5)
"""An anomaly is over when its scope was not hot for so long."""
LASTING = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class AnomalyLook:
    """One tenant's minutes under test at one moment, and what was to be expected."""

    tenant: str
    now: datetime
    currency: str
    recent: Recent
    learned: Learned
    wording: Wording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open or cooling down."""
        named = [scope_of(incident) for incident in current if incident.kind == "anomaly"]
        proposed = []
        for anomaly in detect(self.recent.spent, self.learned, self.now, named):
            usual = quantised(anomaly.expected_per_minute * 60)
            rows = self.recent.of(anomaly.scope, anomaly.began_at, self.now)
            amounts = by_series(rows)
            amount = total(amounts.values())
            figures = IncidentFigures(
                amount=amount,
                expected=over(usual, self.now - anomaly.began_at),
                rate_per_hour=self.recent.rate_per_hour(anomaly.scope, self.now),
                expected_per_hour=usual,
                of_which_provisional=total(row.provisional for row in rows),
                top_contributor=top_contributor(amounts, amount),
            )
            incident = anomaly_incident(self.tenant, anomaly, self.currency, figures, self.now)
            proposed.append(self.wording.with_words(incident))
        return proposed

    def is_hot(self, incident: Incident) -> bool:
        """Whether an anomaly goes on."""
        rows = self.recent.of(scope_of(incident), self.learned.until, self.now)
        tested = self.now - self.learned.until
        expected, hot = (over(rate, tested) for rate in (incident.expected_per_hour, incident.hot_per_hour))
        return is_hot(total(row.amount for row in rows), expected, hot)

    def ending(self, incident: Incident, hot: bool) -> str:
        """Why an incident is over; '' = it is not."""
        if self.now - incident.began_at >= LASTING:
            return "it has lasted a day and is the new level"
        quiet = not hot and self.now - incident.hot_at >= QUIET
        return f"nothing unusual for {QUIET.seconds // 60} minutes" if quiet else ""

    def is_corrected(self, figures: IncidentFigures) -> bool:
        """Whether but for corrections its money would be above what was expected."""
        booked = EXACT.subtract(figures.amount, figures.corrected)
        return is_hot(booked, figures.expected, ZERO) and not is_hot(figures.amount, figures.expected, ZERO)

    def until(self, incident: Incident, hot: bool) -> datetime:
        """Where its money ends: now, or when it was last hot, for what comes later is usual."""
        return self.now if hot else max(incident.hot_at, incident.began_at)

    def figures(
        self, incident: Incident, spent: CounterSum, series: Mapping[bytes, Series], until: datetime
    ) -> IncidentFigures:
        """Its figures; `spent`: what its scope spent from its beginning to `until`."""
        usual = incident.expected_per_hour
        expected = over(usual, until - incident.began_at)
        rate = self.recent.rate_per_hour(scope_of(incident), self.now)
        return figures_of(spent, series, expected=expected, usual=usual, rate=rate)


def anomaly_incident(
    tenant: str, anomaly: Anomaly, currency: str, figures: IncidentFigures, now: datetime
) -> Incident:
    """A scope far over its expectation; its episode is the minute in which that began."""
    return opened(
        now,
        figures,
        tenant=tenant,
        kind="anomaly",
        rule_id=RULE,
        rule_revision=RULE_REVISION,
        rule_name=RULE_NAME,
        scope={} if anomaly.scope == TENANT else dict([anomaly.scope]),
        episode=(anomaly.began_at - EPOCH) // MINUTE,
        began_at=anomaly.began_at,
        currency=currency,
        severity="critical",
        hot_per_hour=quantised(anomaly.hot_per_minute * 60),
    )
