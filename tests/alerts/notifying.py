"""An incident's event as channels are given it, for the tests of what they make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.alerts.notify import IncidentMessage
from spendmeter.contracts.incidents import Figure, IncidentEvent, TopContributor

NOW = datetime(2026, 11, 23, 10, 4, tzinfo=UTC)
DELIVERY = UUID("00000000-0000-4000-8000-00000000d311")
SUMMARY = "acme: agent=researcher spends up to 3,091.50 USD per hour; 6.87 USD so far."
LINK = "https://spend.example.org/#/?from=2026-11-23T09%3A30Z&filter.agent=researcher"

BASE: dict[str, Any] = {
    "incident_id": "6f1d8a52-77c5-0f0e-8d3a-3f6f2b1c9e10",
    "tenant": "acme",
    "transition": "opened",
    "state": "open",
    "kind": "anomaly",
    "rule": "minute-burst",
    "rule_name": "Spend far over expectation",
    "rule_revision": 1,
    "severity": "critical",
    "scope": {"agent": "researcher"},
    "at": datetime(2026, 11, 23, 10, 3, 8, tzinfo=UTC),
    "began_at": datetime(2026, 11, 23, 10, 3, tzinfo=UTC),
    "currency": "USD",
    "amount": "6.87",
    "expected": "0.024",
    "rate_per_hour": "3091.5",
    "peak_per_hour": "3091.5",
    "expected_per_hour": "10.8",
    "of_which_provisional": "0",
    "top_contributor": TopContributor(
        dimensions={"sku": "gpt-4o", "agent": "researcher", "key_id": "k0123456789ab"},
        amount="6.6",
        share="0.96",
    ),
    "title": "agent researcher spends 3,092 USD/h, usually 11",
    "figures": [
        Figure(label="highest rate", amount="3091.5", unit="USD/h", text="3,091.50 USD/h"),
        Figure(label="usual rate", amount="10.8", unit="USD/h", text="10.80 USD/h"),
    ],
    "key_names": {"k0123456789ab": "checkout-prod"},
    "link": LINK,
    "summary": SUMMARY,
    "suggested_action": "Look at agent researcher: stop it if nobody expects this.",
}


def incident_event(**changed: Any) -> IncidentEvent:
    """The burst of the golden example, changed."""
    event = BASE | changed
    if event["transition"] == "resolved":
        event["state"] = "resolved"
    return IncidentEvent(**event)


def message(**changed: Any) -> IncidentMessage:
    """A delivery of it."""
    return IncidentMessage(event=incident_event(**changed), delivery=DELIVERY, created_at=NOW)
