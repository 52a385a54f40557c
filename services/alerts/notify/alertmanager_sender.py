"""Sends to an Alertmanager: one attempt."""

from collections.abc import Mapping
from datetime import UTC, datetime

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.alertmanager import PATH, alerts_of, encode_alerts, remembered_labels
from services.alerts.notify.http import HttpDoor
from spendmeter.contracts.channels import AlertmanagerSettings

FINAL = frozenset({400, 401, 403, 404, 405, 413, 422})
"""What a second attempt with the same words will not mend."""


class AlertmanagerSender:
    """POSTs an incident as alerts; the same ones again do no harm."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    async def send(
        self, settings: AlertmanagerSettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt, by the time of now."""
        alerts = alerts_of(settings, message.event, remembered, datetime.now(UTC))
        url = settings.url.rstrip("/")
        url = url if url.endswith(PATH) else url + PATH
        headers = {"authorization": settings.authorization} if settings.authorization else {}
        answer = await self._door.post(url, encode_alerts(alerts), headers)
        outcome = answer.outcome(FINAL)
        if not outcome.delivered:
            return outcome
        return DeliveryOutcome(delivered=True, remember=remembered_labels(settings, message.event))
