"""The topic alerts.events: every transition and every update, key = incident id."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.alerts.notify import DeliveryOutcome
from spendmeter.contracts.topics import ALERTS_EVENTS, partition_of
from spendmeter.platform.kafka import producer
from spendmeter.platform.settings import Settings

SEND_S_MAX = 10
"""The producer's own batches never expire; the record may still arrive later, and then twice."""


class TopicSender:
    """`async with TopicSender(settings) as sender`; connects when there is something to send."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic_prefix + ALERTS_EVENTS.name
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._discard()

    async def send(self, *, delivery: UUID, incident: UUID, body: str) -> DeliveryOutcome:
        """Send once and wait for the broker's word. `body`: an IncidentEvent as JSON."""
        key = str(incident).encode()
        try:
            async with asyncio.timeout(SEND_S_MAX):
                sender = await self._connected()
                partitions = await sender.partitions_for(self._topic)
                await sender.send_and_wait(
                    self._topic,
                    body.encode(),
                    key=key,
                    partition=partition_of(key, len(partitions)),
                    headers=[("delivery", str(delivery).encode())],
                )
        except TimeoutError:
            return DeliveryOutcome(error=f"the broker did not answer within {SEND_S_MAX} s")
        except KafkaError as error:
            if not error.retriable:
                await self._discard()  # its sequence numbers may be off for good
            return DeliveryOutcome(error=type(error).__name__)
        return DeliveryOutcome(delivered=True)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                fresh = producer(self._settings, service="alerts")
                try:
                    await fresh.start()
                except BaseException:
                    await fresh.stop()
                    raise
                self._producer = fresh
            return self._producer

    async def _discard(self) -> None:
        stale, self._producer = self._producer, None
        if stale is not None:
            with suppress(TimeoutError, KafkaError):
                async with asyncio.timeout(SEND_S_MAX / 2):  # it waits for what it could not send
                    await stale.stop()
