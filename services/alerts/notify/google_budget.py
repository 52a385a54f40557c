"""Google's budget notification: what a budget says, in the JSON that its consumers already parse. Pure.

Consumers switch things off by it, so an amount is exact, and a threshold is stated only while it is exceeded.
https://cloud.google.com/billing/docs/how-to/budgets-programmatic-notifications#notification_format
"""

from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from services.alerts.notify.texts import one_line
from spendmeter.contracts.incidents import IncidentEvent
from spendmeter.contracts.money import divided, plain

SCHEMA_VERSION = "1.0"
NAME_CHARACTERS_MAX = 200
SUBSCRIPTION = "projects/spendmeter/subscriptions/budgets"

_PERCENT = Decimal(100)


def budget_notification(event: IncidentEvent) -> bytes | None:
    """The JSON; None of an incident that is not a budget's, or of news that this format has no words for."""
    if event.details.get("test"):
        return msgspec.json.encode(_nothing_spent(event))
    if event.kind not in ("budget", "forecast") or event.transition in ("acknowledged", "digest"):
        return None
    said: dict[str, Any] = {
        "budgetDisplayName": one_line(event.rule_name, NAME_CHARACTERS_MAX),
        "costAmount": _number(event.amount),
        "costIntervalStart": _time(event.began_at),
        "budgetAmount": _number(event.expected),
        "budgetAmountType": "SPECIFIED_AMOUNT",
        "currencyCode": event.currency,
    }
    if event.threshold_percent is not None and event.state != "resolved":
        name = "forecastThresholdExceeded" if event.kind == "forecast" else "alertThresholdExceeded"
        said[name] = _number(plain(divided(Decimal(event.threshold_percent), _PERCENT)))
    return msgspec.json.encode(said)


def pushed(notification: bytes, event: IncidentEvent, delivery: UUID) -> bytes:
    """The same as Pub/Sub pushes a message: in its envelope, which says whose budget it is."""
    published = _time(event.at)
    message = {
        "attributes": {
            "billingAccountId": event.tenant,
            "budgetId": event.details.get("budget", event.rule),
            "schemaVersion": SCHEMA_VERSION,
        },
        "data": b64encode(notification).decode(),
        "messageId": str(delivery),
        "message_id": str(delivery),
        "publishTime": published,
        "publish_time": published,
    }
    return msgspec.json.encode({"message": message, "subscription": SUBSCRIPTION})


def _nothing_spent(event: IncidentEvent) -> dict[str, Any]:
    """A test's: nothing of a budget of one is spent, in the currency that is kept for tests."""
    return {
        "budgetDisplayName": event.rule_name,
        "costAmount": _number("0"),
        "costIntervalStart": _time(event.began_at),
        "budgetAmount": _number("1"),
        "budgetAmountType": "SPECIFIED_AMOUNT",
        "currencyCode": "XTS",
    }


def _number(amount: str) -> msgspec.Raw:
    """A JSON number with the amount's own digits, and a fraction, as Google's have."""
    digits = plain(Decimal(amount))
    return msgspec.Raw((digits if "." in digits else digits + ".0").encode())


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
