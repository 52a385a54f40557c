"""Alertmanager: an incident as alerts of `POST /api/v2/alerts`. Pure.

Its labels are what makes an alert the same one, so they are said anew only where they changed, and the alert
with the old ones then ends in the same request. An alert that is not heard of again counts as over after
`FIRING_FOR`: `resend.py` says it every minute. https://prometheus.io/docs/alerting/latest/clients/
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.alerts.notify.texts import account, facts, headline, one_line
from spendmeter.contracts.channels import AlertmanagerSettings
from spendmeter.contracts.incidents import IncidentEvent

PATH = "/api/v2/alerts"
FIRING_FOR = timedelta(minutes=15)
"""How long it stands when nothing more is heard of us: a restart, an outage of ours."""
RESEND_EVERY = timedelta(minutes=1)
RESOLVED_FOR = timedelta(minutes=5)
"""How long its end is said again, for an Alertmanager that was away."""
LABEL_CHARACTERS_MAX = 1000
LABELS = "labels"
"""Under which name the labels are remembered, as JSON."""

_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_]")
_ALERT_NAMES = {
    "budget": "SpendBudget",
    "forecast": "SpendForecast",
    "burn": "SpendBurn",
    "anomaly": "SpendBurst",
    "shift": "SpendShift",
    "loop": "SpendLoop",
    "first": "SpendFirst",
    "drift": "SpendDrift",
    "unbooked": "SpendUnbooked",
    "silence": "SpendSilence",
    "unreserved": "SpendUnreserved",
}


def alerts_of(
    settings: AlertmanagerSettings, event: IncidentEvent, remembered: Mapping[str, str], now: datetime
) -> list[dict[str, Any]]:
    """The request's body: the incident, and the end of the alert with labels that it no longer has."""
    labels = labels_of(settings, event)
    starts = min(event.began_at, now)
    ends = max(event.at, starts) if event.state == "resolved" else now + FIRING_FOR
    alerts = [_alert(event, labels, starts, ends)]
    before: dict[str, str] = json.loads(remembered.get(LABELS, "{}"))
    if before and before != labels:
        alerts.append(_alert(event, before, starts, max(now, starts)))
    return alerts


def labels_of(settings: AlertmanagerSettings, event: IncidentEvent) -> dict[str, str]:
    """What tells it from others: it has the incident's id, and for routes its scope, severity and kind."""
    labels = {_name(name): value for name, value in event.scope.items()} | settings.labels
    labels |= {
        "alertname": _ALERT_NAMES.get(event.kind, "Spend"),
        "incident": event.incident_id,
        "kind": event.kind,
        "severity": event.severity,
        "tenant": event.tenant,
    }
    return {name: one_line(value, LABEL_CHARACTERS_MAX) for name, value in labels.items() if value}


def remembered_labels(settings: AlertmanagerSettings, event: IncidentEvent) -> dict[str, str]:
    """What the next message is to know."""
    return {LABELS: json.dumps(labels_of(settings, event), sort_keys=True)}


def next_resend(event: IncidentEvent, now: datetime) -> datetime | None:
    """When it is to be said again; None = no more."""
    over = event.state == "resolved" and now + RESEND_EVERY > event.at + RESOLVED_FOR
    return None if over else now + RESEND_EVERY


def encode_alerts(alerts: list[dict[str, Any]]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(alerts)


def _alert(
    event: IncidentEvent, labels: Mapping[str, str], starts: datetime, ends: datetime
) -> dict[str, Any]:
    annotations = {_name(label): value for label, value in facts(event)}
    annotations |= {
        "summary": headline(event),
        "description": account(event),
    }  # whatever a dimension's name is
    link = {"generatorURL": event.link} if event.link else {}
    if event.link:
        annotations["link"] = event.link
    return {
        "labels": dict(labels),
        "annotations": annotations,
        "startsAt": _time(starts),
        "endsAt": _time(ends),
        **link,
    }


def _name(text: str) -> str:
    """As names of labels and annotations are."""
    name = _NOT_IN_NAMES.sub("_", text)
    return f"_{name}" if name[:1].isdigit() else name


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
