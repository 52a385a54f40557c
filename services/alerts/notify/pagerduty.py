"""PagerDuty: an incident as an event of the Events API v2. Pure.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from typing import Any

import msgspec

from services.alerts.notify.texts import account, facts, headline, one_line
from spendmeter.contracts.channels import PagerDutySettings
from spendmeter.contracts.incidents import IncidentEvent

PATH = "/v2/enqueue"
SUMMARY_CHARACTERS_MAX = 1024
DEDUP_KEY_CHARACTERS_MAX = 255
EVENT_BYTES_MAX = 512 * 1024
FIELD_CHARACTERS_MAX = 255
"""Of what its lists show: source, component, group, class."""

_ACTIONS = {"acknowledged": "acknowledge", "resolved": "resolve"}
"""Whatever else is news triggers."""


def enqueued(settings: PagerDutySettings, event: IncidentEvent) -> dict[str, Any]:
    """The request's body. All of an incident's messages have one dedup_key: it is one there, too."""
    said: dict[str, Any] = {
        "routing_key": settings.routing_key,
        "event_action": _ACTIONS.get(event.transition, "trigger"),
        "dedup_key": one_line(f"spendmeter:{event.incident_id}", DEDUP_KEY_CHARACTERS_MAX),
    }
    if said["event_action"] != "trigger":
        return said  # nothing else is read of these
    said["payload"] = _payload(settings, event)
    said["client"] = "Spendmeter"
    if event.link:
        said["client_url"] = event.link
        said["links"] = [{"href": event.link, "text": "The spend in the portal"}]
    return said


def encode_event(said: dict[str, Any]) -> bytes:
    """As JSON; far below EVENT_BYTES_MAX, for each of its texts is cut."""
    return msgspec.json.encode(said)


def _payload(settings: PagerDutySettings, event: IncidentEvent) -> dict[str, Any]:
    scope = event.scope
    where = ", ".join(f"{name}={value}" for name, value in scope.items())
    parts = {
        "component": scope.get("sku")
        or scope.get("provider")
        or event.top_contributor.dimensions.get("sku", ""),
        "group": scope.get("team") or scope.get("project", ""),
        "class": event.kind,
    }
    return {
        "summary": headline(event, SUMMARY_CHARACTERS_MAX),
        "source": one_line(f"{event.tenant}: {where or 'everything'}", FIELD_CHARACTERS_MAX),
        "severity": settings.severities.get(event.severity, event.severity),
        "timestamp": event.at.isoformat(),
        **{name: one_line(value, FIELD_CHARACTERS_MAX) for name, value in parts.items() if value},
        "custom_details": dict(facts(event)) | {"what": account(event)},
    }
