"""The corrector's process: lines for what people want corrected and for outcomes; what follows the book."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import LeaderNotAvailableError

from services.corrector.apply import Applier
from services.corrector.catalog_wait import CatalogWait
from services.corrector.closings.keeper import ClosingsKeeper
from services.corrector.line import CorrectionLine
from services.corrector.outcomes.line import OutcomeLine
from services.corrector.price_books import VersionBooks, VersionUnits
from services.corrector.projections.projector import Projector
from services.corrector.rerates import Rerates
from services.corrector.sweep import READ_IN_ORDER
from services.corrector.true_ups.keeper import TrueUpKeeper
from services.corrector.workflows.keeper import MomentsKeeper
from services.corrector.write import prepare
from spendmeter.book.changed import ChangedDays
from spendmeter.contracts.topics import (
    CATALOG,
    SPEND_TOTALS,
    USAGE_CORRECTIONS,
    USAGE_EVENTS,
    USAGE_OUTCOMES,
)
from spendmeter.platform.catalog_topic import last_marker
from spendmeter.platform.kafka import log_reader, money_consumer, producer, running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.retry import until_done
from spendmeter.platform.service import run_until, terminate
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters

SERVICE = "corrector"
CONNECTIONS_MAX = 4
LINE_CONNECTIONS_MAX = 2
"""One writes, one reads ahead."""


class Corrector:
    """`run(stop)` corrects until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._line: CorrectionLine | None = None
        self._pools: list[asyncpg.Pool[asyncpg.Record]] = []
        """Empty until there are connections; with them comes what stands below."""
        self._projector: Projector
        self._outcomes: OutcomeLine
        self._moments: MomentsKeeper
        self._closings: ClosingsKeeper

    def not_ready(self) -> str:
        """Why nothing is corrected; '' = all is well, or another one does it."""
        if self._line is None:
            return "waiting for Kafka and Postgres"
        line, outcomes = self._line, self._outcomes
        troubles = (
            *(line.stopped, line.catalog.why, line.worked.trouble(), self._projector.worked.trouble()),
            *(outcomes.stopped, outcomes.worked.trouble(), self._moments.worked.trouble()),
            self._closings.worked.trouble(),
        )
        return "; ".join(filter(None, troubles))

    async def run(self, stop: asyncio.Event) -> None:
        """Correct until `stop`; what is under way then is undone, and done by who comes after."""
        await run_until(stop.wait(), self._work(), let_go=partial(terminate, self._pools))

    async def _work(self) -> None:
        async with AsyncExitStack() as open_things:
            line = await until_done(
                lambda: open_things.enter_async_context(self._connected()), "not connected yet"
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(line.changed.run())
                tasks.create_task(line.run())
                tasks.create_task(self._outcomes.run())
                tasks.create_task(self._projector.run())
                tasks.create_task(self._moments.run())
                tasks.create_task(self._closings.run())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[CorrectionLine]:
        settings = self._settings
        connections = partial(
            create_pool, settings.database_url.get_secret_value(), service=SERVICE, init=prepare
        )
        self._pools.clear()
        try:
            # who folds, sums or closes reads as is cheapest: kept to the order of an index, what was folded
            # walked through all series for each cell
            pool = await connections(size_max=CONNECTIONS_MAX)
            self._pools.append(pool)
            line_pool = await connections(size_max=LINE_CONNECTIONS_MAX, session=READ_IN_ORDER)
            self._pools.append(line_pool)
            admin, logs = KafkaAdmin(settings.kafka), log_reader(settings)
            consumer = money_consumer(settings, group=USAGE_CORRECTIONS.group)
            outcomes = money_consumer(settings, group=USAGE_OUTCOMES.group)
            sender = producer(settings, service=SERVICE)
            events = settings.topic_prefix + USAGE_EVENTS.name
            async with running(admin, logs, sender, consumer, outcomes):
                self._projector = Projector(pool=pool, meters=self._meters)
                self._closings = ClosingsKeeper(pool)
                self._moments = MomentsKeeper(pool=pool, meters=self._meters)
                self._outcomes = OutcomeLine(
                    log=TopicPartition(settings.topic_prefix + USAGE_OUTCOMES.name, 0),
                    consumer=outcomes,
                    admin=admin,
                    pool=pool,
                    meters=self._meters,
                )
                log_ends = partial(read_log_ends, admin, logs, events)
                changed = ChangedDays(sender, settings.topic_prefix + SPEND_TOTALS.name)
                books, units = VersionBooks(), VersionUnits()
                self._line = CorrectionLine(
                    log=TopicPartition(settings.topic_prefix + USAGE_CORRECTIONS.name, 0),
                    consumer=consumer,
                    admin=admin,
                    pool=line_pool,
                    applier=Applier(log_ends=log_ends, books=books, units=units),
                    rerates=Rerates(log_ends=log_ends, told=changed.add, books=books, units=units),
                    true_ups=TrueUpKeeper(books=books),
                    catalog=CatalogWait(
                        published=partial(read_published, admin, settings), meters=self._meters
                    ),
                    changed=changed,
                    meters=self._meters,
                )
                yield self._line
        finally:
            for each in self._pools:
                each.terminate()


async def read_published(admin: KafkaAdmin, settings: Settings) -> int:
    """The version of the catalog topic's last marker; 0 = nothing was ever published there."""
    topic = settings.topic_prefix + CATALOG.name
    if topic not in await admin.topics([topic]):
        return 0
    consumer = money_consumer(settings, group=None)
    async with running(consumer):
        marker = await last_marker(consumer, TopicPartition(topic, 0))
    return marker.version if marker else 0


async def read_log_ends(admin: KafkaAdmin, logs: AIOKafkaConsumer, events: str) -> list[int]:
    """Where each partition of `usage.events` ends now."""
    facts = (await admin.topics([events])).get(events)
    if facts is None:
        raise LeaderNotAvailableError
    partitions = [TopicPartition(events, number) for number in range(facts.partitions)]
    ends = await logs.end_offsets(partitions)
    return [ends[partition] for partition in partitions]
