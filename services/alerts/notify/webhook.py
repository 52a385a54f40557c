"""Webhooks, signed as Standard Webhooks says: one attempt at one delivery."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.google_budget import budget_notification, pushed
from services.alerts.notify.http import HttpDoor
from spendmeter.contracts.channels import WebhookFormat, WebhookSettings


class WebhookSender:
    """POSTs an incident as its receiver wants it; a receiver that answers 410 is done with us."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    async def send(
        self, settings: WebhookSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt; the delivery's id is `webhook-id`, by which receivers tell repetitions."""
        body = payload(settings.format, message)
        if body is None:
            return DeliveryOutcome(delivered=True, skipped="Google's format tells of budgets alone")
        now, delivery = datetime.now(UTC), str(message.delivery)
        signed = {
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(settings.secret).sign(delivery, now, body.decode()),
        }
        return (await self._door.post(settings.url, body, signed)).outcome()


def payload(format: WebhookFormat, message: IncidentMessage) -> bytes | None:
    """What is sent; None = this format has no words for it."""
    event = message.event
    if format == "spendmeter":
        at = message.created_at.isoformat()
        return msgspec.json.encode({"type": f"incident.{event.transition}", "timestamp": at, "data": event})
    notification = budget_notification(event)
    if notification is None or format == "google_budget":
        return notification
    return pushed(notification, event, message.delivery)
