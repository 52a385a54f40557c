"""The ledger's process: lanes for the partitions that the group gives it, totals, and the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from services.ledger.book import prepare
from services.ledger.lane import Lane
from services.ledger.totals import Totals
from services.ledger.watch import Watch
from spendmeter.contracts.topics import SPEND_TOTALS, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.kafka import log_reader, money_consumer, producer
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import CONNECTION_ERRORS, create_pool
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log

CONNECTIONS_MAX = 16
"""Lanes beyond this many wait for each other's connections."""
COMMIT_INTERVAL_S = 0.5
RETRY_S = 1.0


class Ledger(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """`run(stop)` books until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._lanes: dict[int, Lane] = {}
        self._committed: dict[int, int] = {}
        self._consumer: AIOKafkaConsumer
        self._admin: KafkaAdmin
        self._pool: asyncpg.Pool[asyncpg.Record]
        self._totals: Totals
        self._watch: Watch | None = None
        self._rated = settings.topic_prefix + USAGE_RATED.name
        self._events = settings.topic_prefix + USAGE_EVENTS.name
        self._failed = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

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
        async with AsyncExitStack() as open_things:
            if not await self._connect(open_things, stop):
                return
            self._consumer.subscribe([self._rated], listener=self)
            open_things.push_async_callback(self._stop_lanes)
            background = [
                asyncio.create_task(self._totals.run()),
                asyncio.create_task(self._watch.run()) if self._watch else None,
                asyncio.create_task(self._commit_often()),
            ]
            tasks = [task for task in background if task is not None]
            waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(self._failed.wait())]
            await asyncio.wait([*waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in (*waiting, *tasks):
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            lanes = [lane.task for lane in self._lanes.values() if lane.task and lane.task.done()]
            if self._starting is not None and self._starting.done():
                lanes.append(self._starting)
            ended += await asyncio.gather(*lanes, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error

    async def _connect(self, open_things: AsyncExitStack, stop: asyncio.Event) -> bool:
        """Connect to both, for as long as it takes. False when told to stop meanwhile."""
        settings = self._settings
        while not stop.is_set():
            async with AsyncExitStack() as attempt:
                try:
                    self._pool = await create_pool(
                        settings.database_url.get_secret_value(),
                        size_max=CONNECTIONS_MAX,
                        service="ledger",
                        init=prepare,
                    )
                    attempt.push_async_callback(_close_pool, self._pool)
                    self._admin = await attempt.enter_async_context(KafkaAdmin(settings.kafka))
                    sender = producer(settings, service="ledger")
                    attempt.push_async_callback(sender.stop)
                    await sender.start()
                    self._consumer = money_consumer(settings, group=USAGE_RATED.group)
                    attempt.push_async_callback(self._consumer.stop)
                    await self._consumer.start()
                    logs = log_reader(settings)
                    attempt.push_async_callback(logs.stop)
                    await logs.start()
                except (*CONNECTION_ERRORS, KafkaError) as error:
                    log().warning("not connected yet", error=type(error).__name__)
                    await asyncio.sleep(RETRY_S)
                    continue
                self._totals = Totals(
                    pool=self._pool,
                    producer=sender,
                    topic=settings.topic_prefix + SPEND_TOTALS.name,
                    meters=self._meters,
                )
                self._watch = Watch(
                    lanes=self._lanes,
                    consumer=self._consumer,
                    logs=logs,
                    admin=self._admin,
                    pool=self._pool,
                    rating_group=settings.topic_prefix + USAGE_EVENTS.group,
                    meters=self._meters,
                )
                await open_things.enter_async_context(attempt.pop_all())
                return True
        return False

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes everything away: end what is under way, and tell Kafka how far it came."""
        await self._stop_lanes()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start a lane for each partition, from where Postgres says."""
        partitions = sorted(tp.partition for tp in assigned)
        log().info("partitions assigned", count=len(partitions))
        self._starting = asyncio.create_task(self._start_lanes(partitions))
        self._starting.add_done_callback(self._lane_ended)

    async def _start_lanes(self, partitions: list[int]) -> None:
        # Not inside the callback: a database that is away must not hold the group's rebalance up.
        while True:
            try:
                facts = await self._admin.topics([self._rated, self._events])
                await self._totals.touch_open_buckets()
                if len(facts) == 2:
                    break
                log().warning("lanes wait for the topics' leaders")
                await asyncio.sleep(RETRY_S)
            except (*CONNECTION_ERRORS, KafkaError) as error:
                log().warning("lanes wait", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)
        for partition in partitions:
            lane = Lane(
                partition=partition,
                rated=TopicPartition(self._rated, partition),
                events=TopicPartition(self._events, partition),
                consumer=self._consumer,
                pool=self._pool,
                totals=self._totals,
                meters=self._meters,
            )
            self._lanes[partition] = lane
            lane.start(facts)
            assert lane.task is not None
            lane.task.add_done_callback(self._lane_ended)

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._failed.set()

    async def _stop_lanes(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await asyncio.gather(*(lane.stop() for lane in self._lanes.values()))
        await self._commit()
        self._lanes.clear()

    async def _commit_often(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            await self._commit()

    async def _commit(self) -> None:
        """Tell Kafka what Postgres already knows. It serves monitors alone, so a failure only waits."""
        offsets = {
            lane.rated: lane.progress.position
            for lane in self._lanes.values()
            if lane.progress is not None and self._committed.get(lane.partition) != lane.progress.position
        }
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except KafkaError as error:
            log().info("commit waits", error=type(error).__name__)
        else:
            self._committed |= {tp.partition: offset for tp, offset in offsets.items()}


async def _close_pool(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    pool.terminate()  # lanes have ended: nothing is under way
