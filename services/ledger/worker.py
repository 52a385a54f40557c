"""The ledger's process: lanes for the partitions that the group gives it, totals, and the watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from services.ledger.book import prepare
from services.ledger.chain import Chain
from services.ledger.forgetting import Forgetting
from services.ledger.lane import Lane
from services.ledger.minutes import MinuteDays
from services.ledger.moments import Moments
from services.ledger.months import Months
from services.ledger.roller import Roller
from services.ledger.roots_topic import RootsTopic
from services.ledger.scopes import ScopeHours
from services.ledger.totals import Totals
from services.ledger.watch import Watch
from spendmeter.contracts.topics import LEDGER_ROOTS, SPEND_TOTALS, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.kafka import log_reader, money_consumer, producer, running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.retry import keep_doing, until_done
from spendmeter.platform.service import run_until
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log
from spendmeter.platform.topic_ids import TopicFacts

SERVICE = "ledger"
CONNECTIONS_MAX = 16
"""Lanes beyond this many wait for each other's connections."""
COMMIT_INTERVAL_S = 0.5
END_S_MAX = 4.0
"""How long a SIGTERM waits for transactions under way: a frozen database ends none."""


class Ledger(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """`run(stop)` books until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._rated = settings.topic_prefix + USAGE_RATED.name
        self._events = settings.topic_prefix + USAGE_EVENTS.name
        self._lanes: dict[int, Lane] = {}
        self._committed: dict[int, int] = {}
        self._starting: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        """None until there are connections; with it come what stands below."""
        self._tasks: asyncio.TaskGroup
        self._consumer: AIOKafkaConsumer
        self._admin: KafkaAdmin
        self._pool: asyncpg.Pool[asyncpg.Record]
        self._totals: Totals
        self._chain: Chain

    def not_ready(self) -> str:
        """Why nothing (or not everything) is booked; '' = all is well."""
        stopped = [lane.stopped for lane in self._lanes.values() if lane.stopped]
        if stopped:
            return "; ".join(stopped)
        if self._watch is None:
            return "waiting for Kafka and Postgres"
        if self._starting is not None and not self._starting.done():
            return "lanes are starting"
        beats = [self._watch.looked, *(lane.worked for lane in self._lanes.values())]
        return "; ".join(trouble for beat in beats if (trouble := beat.trouble()))

    async def run(self, stop: asyncio.Event) -> None:
        """Book until `stop`; raises what a lane raised, for a bug ends the process."""
        await run_until(self._ended(stop), self._work(), let_go=self._let_go)

    async def _ended(self, stop: asyncio.Event) -> None:
        await stop.wait()
        if self._watch is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S_MAX):
                    await self._stop_lanes()

    def _let_go(self) -> None:
        if self._watch is not None:
            self._pool.terminate()

    async def _work(self) -> None:
        async with AsyncExitStack() as open_things:
            watch = await until_done(
                lambda: open_things.enter_async_context(self._connected()), "not connected yet"
            )
            async with asyncio.TaskGroup() as self._tasks:
                self._consumer.subscribe([self._rated], listener=self)
                self._tasks.create_task(watch.run())
                self._tasks.create_task(self._totals.run())
                self._tasks.create_task(Roller(pool=self._pool, meters=self._meters).run())
                self._tasks.create_task(Moments(pool=self._pool, meters=self._meters).run())
                self._tasks.create_task(self._chain.run())
                self._tasks.create_task(ScopeHours(pool=self._pool, meters=self._meters).run())
                minutes = MinuteDays(
                    pool=self._pool, meters=self._meters, kept_days=self._settings.minutes_kept_days
                )
                self._tasks.create_task(minutes.run())
                self._tasks.create_task(Months(pool=self._pool, meters=self._meters).run())
                self._tasks.create_task(Forgetting(pool=self._pool, meters=self._meters).run())
                self._tasks.create_task(
                    keep_doing(self._commit, "commit waits", every_s=COMMIT_INTERVAL_S, away=(KafkaError,))
                )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Watch]:
        settings = self._settings
        self._pool = await create_pool(
            settings.database_url.get_secret_value(), size_max=CONNECTIONS_MAX, service=SERVICE, init=prepare
        )
        self._admin = KafkaAdmin(settings.kafka)
        self._consumer = money_consumer(settings, group=USAGE_RATED.group)
        sender, logs = producer(settings, service=SERVICE), log_reader(settings)
        self._totals = Totals(
            pool=self._pool,
            producer=sender,
            topic=settings.topic_prefix + SPEND_TOTALS.name,
            meters=self._meters,
        )
        roots = RootsTopic(
            name=settings.topic_prefix + LEDGER_ROOTS.name,
            admin=self._admin,
            consumer=money_consumer(settings, group=None),
            producer=sender,
        )
        self._chain = Chain(pool=self._pool, topic=roots, meters=self._meters)
        watch = Watch(
            lanes=self._lanes,
            consumer=self._consumer,
            logs=logs,
            admin=self._admin,
            pool=self._pool,
            rating_group=settings.topic_prefix + USAGE_EVENTS.group,
            meters=self._meters,
        )
        try:
            async with running(self._admin, sender, self._consumer, logs, roots.consumer):
                self._watch = watch
                yield watch
        finally:
            self._pool.terminate()  # lanes have ended: nothing is under way

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes everything away: end what is under way, and tell Kafka how far it came."""
        await self._stop_lanes()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start a lane for each partition, from where Postgres says."""
        partitions = sorted(tp.partition for tp in assigned)
        log().info("partitions assigned", count=len(partitions))
        self._starting = self._tasks.create_task(self._start_lanes(partitions))

    async def _start_lanes(self, partitions: list[int]) -> None:
        # Not inside the callback: a database that is away must not hold the group's rebalance up.
        facts = await until_done(self._facts, "lanes wait")
        for partition in partitions:
            lane = self._lanes[partition] = Lane(
                rated=TopicPartition(self._rated, partition),
                events=TopicPartition(self._events, partition),
                consumer=self._consumer,
                pool=self._pool,
                totals=self._totals,
                meters=self._meters,
            )
            lane.start(self._tasks, facts)

    async def _facts(self) -> dict[str, TopicFacts]:
        facts = await self._admin.topics([self._rated, self._events])
        await self._totals.touch_open_buckets()
        if len(facts) < 2:
            raise KafkaError("lanes wait for the topics' leaders")
        return facts

    async def _stop_lanes(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        with contextlib.suppress(KafkaError):
            await self._commit()
        self._lanes.clear()

    async def _commit(self) -> None:
        """Tell Kafka what Postgres already knows. It serves monitors alone, so a failure only waits."""
        offsets = {
            lane.rated: lane.progress.position
            for lane in self._lanes.values()
            if lane.progress is not None and self._committed.get(lane.partition) != lane.progress.position
        }
        if offsets:
            await self._consumer.commit(offsets)
            self._committed |= {tp.partition: offset for tp, offset in offsets.items()}
