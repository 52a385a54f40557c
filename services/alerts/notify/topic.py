"""The topic alerts.events: every transition and every update, key = incident id."""

import asyncio
from uuid import UUID

from aiokafka.errors import KafkaError

from services.alerts.notify import DeliveryOutcome
from spendmeter.contracts.incidents import IncidentEvent, decode_incident
from spendmeter.contracts.topics import ALERTS_EVENTS, partition_of
from spendmeter.platform.kafka import ReplaceableProducer, producer
from spendmeter.platform.settings import Settings

SEND_S_MAX = 10
"""The producer's own batches never expire; the record may still arrive later, and then twice."""


def headers_of(delivery: UUID, event: IncidentEvent) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 in Kafka's binary mode, so that any reader of those can route it unread."""
    said = {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": str(delivery),
        "ce_source": "/spendmeter/alerts",
        "ce_type": event.type,
        "ce_subject": event.incident_id,
        "ce_time": event.at.isoformat(),
        "ce_transition": event.transition,
        "ce_severity": event.severity,
        "delivery": str(delivery),
    }
    return [(name, value.encode()) for name, value in said.items()]


class TopicSender:
    """Between `start` and `stop`; connects when there is something to send."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic_prefix + ALERTS_EVENTS.name
        self._producer = ReplaceableProducer(lambda: producer(settings, service="alerts"))

    async def start(self) -> None:
        """Nothing yet."""

    async def stop(self) -> None:
        """Let go of the connection, if there is one."""
        await self._producer.stop()

    async def send(self, *, delivery: UUID, incident: UUID, body: str) -> DeliveryOutcome:
        """Send once and wait for the broker's word. `body`: an IncidentEvent as JSON."""
        key = str(incident).encode()
        try:
            async with asyncio.timeout(SEND_S_MAX):
                sender = await self._producer.connected()
                partitions = await sender.partitions_for(self._topic)
                await sender.send_and_wait(
                    self._topic,
                    body.encode(),
                    key=key,
                    partition=partition_of(key, len(partitions)),
                    headers=headers_of(delivery, decode_incident(body)),
                )
        except TimeoutError:
            return DeliveryOutcome(error=f"the broker did not answer within {SEND_S_MAX} s")
        except KafkaError as error:
            if not error.retriable:
                await self._producer.stop()  # its sequence numbers may be off for good
            return DeliveryOutcome(error=type(error).__name__)
        return DeliveryOutcome(delivered=True)
