"""Sends to PagerDuty: one attempt."""

from collections.abc import Mapping

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.http import HttpDoor
from services.alerts.notify.pagerduty import PATH, encode_event, enqueued
from spendmeter.contracts.channels import PagerDutySettings

FINAL = frozenset({400, 401, 403, 404, 405, 413, 422})
"""PagerDuty: "400: check the JSON", never to be tried again; 429 and 5xx are."""


class PagerDutySender:
    """POSTs an incident as an event; its dedup_key makes a repetition harmless."""

    def __init__(self, door: HttpDoor) -> None:
        self._door = door

    async def send(
        self, settings: PagerDutySettings, message: IncidentMessage, remembered: Mapping[str, str]
    ) -> DeliveryOutcome:
        """One attempt."""
        body = encode_event(enqueued(settings, message.event))
        url = settings.url.rstrip("/")
        url = url if url.endswith(PATH) else url + PATH
        return (await self._door.post(url, body)).outcome(FINAL)
