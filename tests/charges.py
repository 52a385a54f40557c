"""Rows of a bill as events, made short for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent

RECEIVED = datetime(2026, 12, 3, 10, tzinfo=UTC)
"""When the bill of November came."""


def charge_body(amount: str = "3", id: str = "c1", **said: Any) -> dict[str, Any]:
    """A charge of acme's in US dollars, of the same list, contracted and effective amount unless `said` is
    otherwise."""
    labels = said.pop("labels", {})
    charge = {"currency": "USD", "list": amount, "contracted": amount, "effective": amount} | said
    return {
        "specversion": "1.0", "type": "spendmeter.charge.v1", "id": id, "source": "bot", "subject": "AWS",
        "time": "2026-11-20T12:00:00Z", "tenant": "acme", "receivedat": "2026-12-03T10:00:00Z",
        "data": {
            "provider": "AWS", "sku": "Amazon DynamoDB", "cost_class": "database", "usage": {},
            "labels": labels, "cadence": "bill", "charge": charge,
        },
    }  # fmt: skip


def charge(amount: str = "3", id: str = "c1", **said: Any) -> UsageEvent:
    return read_event(msgspec.json.encode(charge_body(amount, id, **said)))
