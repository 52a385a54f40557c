"""Asks the broker once a second how far usage.events reaches.

The ledger asks too, but a ledger that is frozen or away keeps its last figure, and what waits for it would be
counted by nobody.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.api.accounting.progress import BookProgress
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform.kafka import log_reader, running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.settings import Settings

INTERVAL_S = 1.0
CONNECT_S_MAX = 10.0
ANSWER_S_MAX = 2.5
"""Later, the figure would be too old to be shown."""

AWAY = (RuntimeError, OSError, TimeoutError)
"""The broker is away. RuntimeError: what aiokafka's errors are, and uvloop raises for a closed transport."""


class LogEnds:
    """`run` tells `progress`, until cancelled; while the broker is away the last figure ages."""

    def __init__(self, settings: Settings, progress: BookProgress) -> None:
        self._settings = settings
        self._progress = progress
        self._topic = settings.topic_prefix + USAGE_EVENTS.name

    async def run(self) -> None:
        """With new connections whenever the old ones fail: a client that stays deaf does not recover."""
        await keep_doing(self._follow, "log ends are not known", away=AWAY)

    async def _follow(self) -> None:
        reader, admin = log_reader(self._settings), KafkaAdmin(self._settings.kafka)
        async with AsyncExitStack() as connections:
            async with asyncio.timeout(CONNECT_S_MAX):
                await connections.enter_async_context(running(reader, admin))
            while True:
                began = time.monotonic()
                await self._measure(reader, admin)
                await asyncio.sleep(max(0.0, INTERVAL_S - (time.monotonic() - began)))

    async def _measure(self, reader: AIOKafkaConsumer, admin: KafkaAdmin) -> None:
        async with asyncio.timeout(ANSWER_S_MAX):
            facts = (await admin.topics([self._topic])).get(self._topic)
            if facts is None:
                return  # it does not exist yet, or has no leader just now
            asked_at = datetime.now(UTC)  # before asking: all that was accepted by then lies below the ends
            ends = await reader.end_offsets(
                [TopicPartition(self._topic, partition) for partition in range(facts.partitions)]
            )
        self._progress.record_log_ends({tp.partition: end for tp, end in ends.items()}, asked_at)
