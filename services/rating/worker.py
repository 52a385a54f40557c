"""The rating process: reads `usage.events`, answers every record on the same partition of `usage.rated`.

It starts with a complete price catalog, goes round (rounds.py) over the partitions that the group gives it
(partitions.py), and ends between two rounds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from aiokafka import TopicPartition

from services.rating.catalog_follower import CatalogFollower
from services.rating.partition_state import PartitionState
from services.rating.partitions import ROUND_S_MAX, Partitions
from services.rating.rate import RecordRater
from services.rating.rounds import Rounds
from spendmeter.contracts.topics import CATALOG, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.kafka import ReplaceableProducer, money_consumer, producer, running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.retry import until_done
from spendmeter.platform.service import run_until
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters

SERVICE = "rating"


class Rater:
    """`run(stop)` rates until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._states: dict[TopicPartition, PartitionState] = {}
        self._round = asyncio.Lock()
        self._rounds: Rounds | None = None
        """None until there are connections, and a catalog has been read."""

    def not_ready(self) -> str:
        """Why nothing (or not everything) is rated; '' = all is well."""
        if self._rounds is None:
            return "waiting for Kafka"
        catalog, partitions = self._rounds.catalog, self._rounds.partitions
        trouble = "no price catalog has been published yet" if catalog.book is None else ""
        trouble = trouble or self._rounds.not_ready() or partitions.answered.trouble()
        stopped = [state.stopped for state in self._states.values()]
        reasons = (trouble, partitions.created_anew, catalog.trouble, *stopped)
        return "; ".join(reason for reason in reasons if reason)

    async def run(self, stop: asyncio.Event) -> None:
        """Rate until `stop`. What goes wrong in our own code is raised, and ends the process."""
        await run_until(self._ended(stop), self._work())

    async def _ended(self, stop: asyncio.Event) -> None:
        """Told to stop, and between two rounds, if the one under way ends soon."""
        await stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S_MAX), self._round:
                pass  # let go of again: leaving the group waits for it

    async def _work(self) -> None:
        async with AsyncExitStack() as open_things:
            rounds = await until_done(
                lambda: open_things.enter_async_context(self._connected()), "not connected yet"
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(rounds.catalog.follow())
                await rounds.catalog.complete.wait()
                rounds.partitions.subscribe()
                tasks.create_task(rounds.partitions.watch())
                tasks.create_task(rounds.run())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Rounds]:
        """Connections to Kafka, and the catalog read to its end."""
        settings, meters = self._settings, self._meters
        admin = KafkaAdmin(settings.kafka)
        reader = money_consumer(settings, group=None)
        consumer = money_consumer(settings, group=USAGE_EVENTS.group)
        sender = ReplaceableProducer(lambda: producer(settings, service=SERVICE))
        async with running(admin, reader, consumer, sender):
            catalog = CatalogFollower(reader, settings.topic_prefix + CATALOG.name, meters)
            await catalog.read_to_end()
            partitions = Partitions(
                topic=settings.topic_prefix + USAGE_EVENTS.name,
                states=self._states,
                under_way=self._round,
                consumer=consumer,
                admin=admin,
                meters=meters,
            )
            self._rounds = Rounds(
                topic=settings.topic_prefix + USAGE_RATED.name,
                rater=RecordRater(timedelta(days=settings.event_age_max_days)),
                catalog=catalog,
                partitions=partitions,
                under_way=self._round,
                consumer=consumer,
                sender=sender,
                meters=meters,
            )
            yield self._rounds
