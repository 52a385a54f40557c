"""An incident: its deterministic id, its figures, and what is told of it; its words are in words.py. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from services.alerts.anomalies import RULE, RULE_NAME, RULE_REVISION, Anomaly
from services.alerts.budgets import Budget
from services.alerts.scopes import MINUTE, TENANT, DetectorScope
from spendmeter.contracts.incidents import (
    EVENTS,
    Figure,
    IncidentEvent,
    IncidentKind,
    IncidentState,
    TopContributor,
    Transition,
)
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, quantised
from spendmeter.contracts.series import Series

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
UNBOOKED_RULE = "unbooked-rate"
UNBOOKED_RULE_NAME = "Events that are not booked"
CORRECTED = "corrected: "
"""Begins the resolution of an incident whose money corrections have taken away: it may open again."""
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, kw_only=True)
class IncidentFigures:
    """What an incident says in numbers; amounts in the tenant's currency."""

    amount: Decimal
    expected: Decimal
    rate_per_hour: Decimal
    expected_per_hour: Decimal
    of_which_provisional: Decimal
    top_contributor: TopContributor
    corrected: Decimal = ZERO
    """What corrections have changed of the amount."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A row of `incidents`, field by field."""

    tenant: str
    id: UUID
    kind: IncidentKind
    rule_id: str
    rule_revision: int
    rule_name: str
    scope: Mapping[str, str]
    scope_digest: bytes
    period_start: datetime | None = None
    period_end: datetime | None = None
    episode: int | None = None
    """An anomaly's first minute. A budget's how often its threshold was crossed before, None = never."""
    threshold_percent: Decimal | None = None
    state: IncidentState = "open"
    began_at: datetime
    currency: str
    amount: Decimal
    expected: Decimal
    rate_per_hour: Decimal
    peak_per_hour: Decimal
    """The highest rate that was seen: what the incident is about, also when nothing is spent any more."""
    expected_per_hour: Decimal
    hot_per_hour: Decimal = ZERO
    of_which_provisional: Decimal
    corrected: Decimal = ZERO
    top_contributor: Mapping[str, Any]
    title: str = ""
    summary: str = ""
    suggested_action: str = ""
    figures: Sequence[Mapping[str, str]] = ()
    """Each a `Figure` of contracts/incidents.py."""
    key_names: Mapping[str, str] = field(default_factory=dict)
    """By id, of the keys that the incident names."""
    link: str = ""
    opened_at: datetime
    updated_at: datetime
    hot_at: datetime
    resolved_at: datetime | None = None
    resolution: str = ""
    told: bool = True
    """Whether people are: not of a threshold that a correction has brought the spend down to."""


def is_corrected(incident: Incident) -> bool:
    """Whether corrections have ended it."""
    return incident.state == "resolved" and incident.resolution.startswith(CORRECTED)


def scope_of(incident: Incident) -> DetectorScope:
    """An anomaly's scope as (dimension, value)."""
    return next(iter(incident.scope.items()), TENANT)


def top_contributor(by_series: Mapping[Series, Decimal], amount: Decimal) -> TopContributor:
    """The series with the largest part of `amount`, with its share."""
    if not by_series or amount <= 0:
        return TopContributor()
    series, part = max(by_series.items(), key=lambda item: item[1])
    return TopContributor(dimensions=series.named(), amount=plain(part), share=plain(divided(part, amount)))


def per_hour(amount: Decimal, duration: timedelta) -> Decimal:
    """`amount` in `duration` as an hourly rate; 0 for no time at all."""
    if duration <= timedelta():
        return ZERO
    return divided(EXACT.multiply(amount, Decimal(HOUR // MICROSECOND)), Decimal(duration // MICROSECOND))


def budget_incident(
    budget: Budget,
    bounds: tuple[datetime, datetime],
    threshold: Decimal,
    figures: IncidentFigures,
    now: datetime,
    *,
    episode: int | None = None,
    told: bool = True,
) -> Incident:
    """A threshold of a budget that was crossed in the period `bounds`; `episode`: if before, how often."""
    return _opened(
        now,
        figures,
        tenant=budget.tenant,
        kind="budget",
        rule_id=budget.id,
        rule_revision=budget.revision,
        rule_name=budget.name,
        scope=dict(budget.filter),
        period_start=bounds[0],
        period_end=bounds[1],
        episode=episode,
        threshold_percent=threshold,
        told=told,
        began_at=bounds[0],
        currency=budget.currency,
    )


def anomaly_incident(
    tenant: str, anomaly: Anomaly, currency: str, figures: IncidentFigures, now: datetime
) -> Incident:
    """A scope far over its expectation; its episode is the minute in which that began."""
    return _opened(
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
        hot_per_hour=quantised(anomaly.hot_per_minute * 60),
    )


def unbooked_incident(
    tenant: str, key_id: str, began_at: datetime, figures: IncidentFigures, now: datetime
) -> Incident:
    """A key of whose events too many are not booked; its episode is the minute in which that began."""
    return _opened(
        now,
        figures,
        tenant=tenant,
        kind="unbooked",
        rule_id=UNBOOKED_RULE,
        rule_revision=1,
        rule_name=UNBOOKED_RULE_NAME,
        scope={"key_id": key_id},
        episode=(began_at - EPOCH) // MINUTE,
        began_at=began_at,
        currency=EVENTS,
    )


def with_figures(incident: Incident, figures: IncidentFigures, now: datetime) -> Incident:
    """The same incident with the amounts of `now`; its peak is never lowered."""
    peak = max(incident.peak_per_hour, figures.rate_per_hour)
    return replace(incident, updated_at=now, peak_per_hour=peak, **_columns(figures))


def resolved(incident: Incident, resolution: str, now: datetime) -> Incident:
    """The incident's end."""
    return replace(incident, state="resolved", resolved_at=now, updated_at=now, resolution=resolution)


_AMOUNTS = "amount expected rate_per_hour peak_per_hour expected_per_hour of_which_provisional".split()
_AS_THEY_ARE = """tenant state kind rule_name rule_revision scope began_at currency title summary
    suggested_action resolution key_names link""".split()


def event_of(incident: Incident, transition: Transition, at: datetime) -> IncidentEvent:
    """What the topic and every channel are told."""
    threshold = incident.threshold_percent
    columns: dict[str, Any] = {name: plain(getattr(incident, name)) for name in _AMOUNTS}
    columns |= {name: getattr(incident, name) for name in _AS_THEY_ARE}
    return IncidentEvent(
        incident_id=str(incident.id),
        transition=transition,
        at=at,
        rule=incident.rule_id,
        threshold_percent=None if threshold is None else plain(threshold),
        top_contributor=TopContributor(**incident.top_contributor),
        figures=[Figure(**figure) for figure in incident.figures],
        **columns,
    )


def _opened(now: datetime, figures: IncidentFigures, **columns: Any) -> Incident:
    digest = _digest(sorted(columns["scope"].items()))
    start, threshold = columns.get("period_start"), columns.get("threshold_percent")
    key = [columns["tenant"], columns["rule_id"], columns["rule_revision"], digest.hex()]
    key += [start and start.isoformat(), columns.get("episode"), threshold and plain(threshold)]
    return Incident(
        id=UUID(bytes=_digest(key)), scope_digest=digest, opened_at=now, updated_at=now, hot_at=now,
        peak_per_hour=figures.rate_per_hour, **columns, **_columns(figures),
    )  # fmt: skip


def _columns(figures: IncidentFigures) -> dict[str, Any]:
    top = figures.top_contributor
    columns = dict(vars(figures))
    columns["top_contributor"] = {"dimensions": top.dimensions, "amount": top.amount, "share": top.share}
    return columns


def _digest(value: object) -> bytes:
    return blake2b(json.dumps(value, separators=(",", ":")).encode(), digest_size=16).digest()
