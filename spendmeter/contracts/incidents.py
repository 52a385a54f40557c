"""What happened to an incident, on `alerts.events`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct


class IncidentEvent(Struct, frozen=True, kw_only=True):
    """One transition of one incident; amounts are plain decimal strings in `currency`."""

    type: Literal["spendmeter.incident.v1"] = "spendmeter.incident.v1"
    incident_id: str
    tenant: str
    transition: Literal["opened", "updated", "acknowledged", "resolved"]
    rule: str
    kind: Literal["budget", "anomaly"]
    scope: dict[str, str]
    """Dimension to value; empty = the whole tenant."""
    at: datetime
    currency: str
    amount: str
    """Money so far."""
    rate_per_hour: str
    of_which_provisional: str
    top_contributor: dict[str, Any]
    """{dimensions, amount, share}: the series with the largest part."""
    summary: str


decode_incident = msgspec.json.Decoder(IncidentEvent).decode
encode_incident = msgspec.json.Encoder().encode
