"""An incident: its deterministic id, its figures, and what is told of it; its words are in words.py. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from services.alerts.scopes import MINUTE
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import (
    Figure,
    IncidentEvent,
    IncidentKind,
    IncidentSeverity,
    IncidentState,
    TopContributor,
    Transition,
)
from spendmeter.contracts.money import ZERO, divided, plain
from spendmeter.contracts.series import Series

CORRECTED = "corrected: "
"""Begins the resolution of an incident whose money corrections have taken away: it may open again."""
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
UPDATE_AGE_MIN = timedelta(seconds=15)
UPDATE_AGE_MAX = timedelta(minutes=5)
UPDATE_SHARE = 100
"""Figures are renewed after 1/100 of an incident's age, within these bounds: an old one changes slowly."""
COOL_DOWN = timedelta(minutes=5)
"""After an incident that is no budget's is over, its scope opens no new one for so long; of anomalies this
goes for those that ended while their money went on."""
REPEAT_AGE_MAX = timedelta(days=1)
"""An anomaly of the same scope within so long after one's end is that one again."""
LASTED = "it has lasted a day and is the new level"
"""The resolution of an anomaly that nobody has stopped."""
HOURLY = "hour"
"""In the details of an anomaly that whole hours show (`hours/`); any other is a burst of minutes."""
PART_AT = "part_at"
"""In the details of one that told of a part: when it last did."""
CLOSING = timedelta(minutes=5)
"""A budget's period is watched for so long after its end: its last events are booked after they are over."""


@dataclass(frozen=True, kw_only=True)
class IncidentFigures:
    """What an incident says in numbers; amounts in the tenant's currency."""

    amount: Decimal
    expected: Decimal = ZERO
    rate_per_hour: Decimal = ZERO
    expected_per_hour: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    top_contributor: TopContributor = field(default_factory=TopContributor)
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
    severity: IncidentSeverity = "warning"
    number: int = 0
    """Of its last message: 0 = that it opened. A message is one delivery a channel."""
    repeats: int = 0
    """How often it was over and began again."""
    snoozed_until: datetime | None = None
    snoozed_amount: Decimal | None = None
    """What people knew of when they snoozed it, or were told since."""
    planned: UUID | None = None
    """The window of planned spend in which it lies."""
    parent: UUID | None = None
    """The incident of whose money its own is a part."""
    expected_until: datetime | None = None
    """It is over, and until then people expect its scope to spend so."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What its kind knows beyond the figures, as JSON: amounts are plain decimal strings."""


def open_of(kind: IncidentKind, incidents: Iterable[Incident]) -> list[Incident]:
    """Those of a kind that are not over."""
    return [each for each in incidents if each.kind == kind and each.state != "resolved"]


def is_corrected(incident: Incident) -> bool:
    """Whether corrections have ended it."""
    return incident.state == "resolved" and incident.resolution.startswith(CORRECTED)


def is_burst(incident: Incident) -> bool:
    """Whether it is an anomaly of minutes."""
    return incident.kind == "anomaly" and HOURLY not in incident.details


def is_hourly(incident: Incident) -> bool:
    """Whether it is an anomaly of hours."""
    return incident.kind == "anomaly" and HOURLY in incident.details


def open_bursts(incidents: Iterable[Incident]) -> list[Incident]:
    """Anomalies of minutes that are not over."""
    return [each for each in open_of("anomaly", incidents) if is_burst(each)]


def open_hourly(incidents: Iterable[Incident]) -> list[Incident]:
    """Anomalies of hours that are not over."""
    return [each for each in open_of("anomaly", incidents) if is_hourly(each)]


def is_due(incident: Incident, now: datetime) -> bool:
    """Whether its figures are to be renewed: at once where it was changed for what another one says alone."""
    if incident.details.get(PART_AT) == incident.updated_at.isoformat():
        return True
    age = now - max(incident.opened_at, incident.began_at)
    return now - incident.updated_at >= min(max(UPDATE_AGE_MIN, age / UPDATE_SHARE), UPDATE_AGE_MAX)


def top_contributor(by_series: Mapping[Series, Decimal], amount: Decimal) -> TopContributor:
    """The series with the largest part of `amount`, with its share."""
    if not by_series or amount <= 0:
        return TopContributor()
    series, part = max(by_series.items(), key=lambda item: item[1])
    return TopContributor(dimensions=series.named(), amount=plain(part), share=plain(divided(part, amount)))


def opened(now: datetime, figures: IncidentFigures, **columns: Any) -> Incident:
    """An incident that opens at `now`; its id is the digest of tenant, rule and revision, scope, and of the
    period's start, the episode and the threshold, as far as its kind has them."""
    digest = scope_digest(columns["scope"])
    start, threshold = columns.get("period_start"), columns.get("threshold_percent")
    key = [columns["tenant"], columns["rule_id"], columns["rule_revision"], digest.hex()]
    key += [start and start.isoformat(), columns.get("episode"), threshold and plain(threshold)]
    return Incident(
        id=UUID(bytes=_digest(key)), scope_digest=digest, opened_at=now, updated_at=now, hot_at=now,
        peak_per_hour=figures.rate_per_hour, **columns, **_columns(figures),
    )  # fmt: skip


def by_rule(rule: AlertRule, began: datetime, **other: Any) -> dict[str, Any]:
    """Columns of what opens by a rule that people set; its episode is the minute in which it began.
    `other`: what is otherwise."""
    columns = {
        "rule_id": rule.id,
        "rule_revision": rule.revision,
        "rule_name": rule.name,
        "severity": rule.severity,
        "began_at": began,
        "episode": episode_of(began),
    }
    return columns | other


def episode_of(began: datetime) -> int:
    """The minute, counted from EPOCH."""
    return (began - EPOCH) // MINUTE


def with_figures(incident: Incident, figures: IncidentFigures, now: datetime) -> Incident:
    """The same incident with the amounts of `now`; its peak is never lowered."""
    peak = max(incident.peak_per_hour, figures.rate_per_hour)
    return replace(incident, updated_at=now, peak_per_hour=peak, **_columns(figures))


def resolved(incident: Incident, resolution: str, now: datetime) -> Incident:
    """The incident's end."""
    return replace(incident, state="resolved", resolved_at=now, updated_at=now, resolution=resolution)


def in_other_money(incident: Incident, currency: str) -> str:
    """Why one is over whose tenant counts in `currency` now: what it was held against is other money, and its
    figures stay as they were; '' = it is the same."""
    same = incident.currency == currency
    return "" if same else f"the tenant counts in {currency} now, no more in {incident.currency}"


def scope_digest(scope: Mapping[str, str]) -> bytes:
    """The same for the same values, in whatever order."""
    return _digest(sorted(scope.items()))


_AMOUNTS = "amount expected rate_per_hour peak_per_hour expected_per_hour of_which_provisional".split()
_AS_THEY_ARE = """tenant state kind rule_name rule_revision scope began_at currency title summary
    suggested_action resolution key_names link severity number repeats details""".split()


def event_of(incident: Incident, transition: Transition, at: datetime) -> IncidentEvent:
    """What the topic and every channel are told."""
    threshold = incident.threshold_percent
    columns: dict[str, Any] = {name: plain(getattr(incident, name)) for name in _AMOUNTS}
    columns |= {name: getattr(incident, name) for name in _AS_THEY_ARE}
    columns["details"] = {**incident.details, **_standing(incident)}
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


def _standing(incident: Incident) -> dict[str, str]:
    """Why less is told of it than there is to tell, for who reads the topic."""
    until, reasons = incident.snoozed_until, {"planned": incident.planned, "parent": incident.parent}
    said = {name: str(reason) for name, reason in reasons.items() if reason is not None}
    return said if until is None else {**said, "snoozed_until": until.isoformat()}


def _columns(figures: IncidentFigures) -> dict[str, Any]:
    top = figures.top_contributor
    columns = dict(vars(figures))
    columns["top_contributor"] = {"dimensions": top.dimensions, "amount": top.amount, "share": top.share}
    return columns


def _digest(value: object) -> bytes:
    return blake2b(json.dumps(value, separators=(",", ":")).encode(), digest_size=16).digest()
