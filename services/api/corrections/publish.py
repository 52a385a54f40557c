"""Puts what people want changed of the book on `usage.corrections`: nobody is told yes before the broker
holds it, for Postgres alone would lose it with a restored backup."""

import asyncio

from aiokafka.errors import KafkaError

from services.api.http.problems import RETRY_AFTER_S, HttpRefusal
from spendmeter.contracts.corrections import CorrectionRequest, correction_key, encode_correction
from spendmeter.contracts.topics import USAGE_CORRECTIONS
from spendmeter.platform.kafka import ReplaceableProducer, producer
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log

DEADLINE_S = 10.0
"""How long a request waits for the broker."""


class CorrectionLog:
    """The topic's only producer of this process; connects with the first request."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic_prefix + USAGE_CORRECTIONS.name
        self._producer = ReplaceableProducer(lambda: producer(settings, service="api"))

    async def publish(self, request: CorrectionRequest) -> None:
        """Return when the broker has acknowledged it. Raises HttpRefusal (503), which names its id: asked for
        again under it, it is done once."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                sender = await self._producer.connected()
                value, key = encode_correction(request), correction_key(request)
                await sender.send_and_wait(self._topic, value, key=key, partition=0)
        except (KafkaError, OSError, TimeoutError) as error:
            log().warning("a correction was not acknowledged", topic=self._topic, error=type(error).__name__)
            await self._producer.stop()
            raise unacknowledged(request.id) from None

    async def aclose(self) -> None:
        """Let go of the broker."""
        await self._producer.stop()


def unacknowledged(id: str) -> HttpRefusal:
    """503 for a request that the broker may hold or not."""
    detail = "the broker has not acknowledged it, so whether it will be done is unknown: ask for it again"
    return HttpRefusal(
        503, "Not available", f"{detail} under the id {id}", id=id, retry_after_s=RETRY_AFTER_S
    )
