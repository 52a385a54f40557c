"""Puts events on `usage.events`, and outcomes on `usage.outcomes`; a request is answered only when the broker
holds all of its events.

Concurrent requests are gathered for a few milliseconds and sent as one batch a partition. One such flush is
under way at a time; what arrives meanwhile is the next one, so batches grow with the load.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.ingest.refused import unavailable
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.contracts.outcomes import OutcomeEvent
from spendmeter.contracts.topics import partition_of
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka import Headers, Record, let_go, send_batches
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import log

GATHER_S = 0.005
SPACING_S = 0.02
"""Between the starts of two flushes: each one costs the broker, and everything behind it, a round."""
GATHER_EVENTS_MAX = 1000
"""With so many waiting, a flush starts at once."""
DEADLINE_S = 10.0
"""How long a request waits for the broker."""
STUCK_S = 5.0
"""A flush unacknowledged for so long: further requests are turned away at once, not queued behind it."""
GIVE_UP_S = 30.0
"""A flush unacknowledged for so long: the producer is discarded, and a new one looks the broker up afresh."""
CONNECT_S_MAX = 15.0
ASK_INTERVAL_S = 1.0
ASK_S_MAX = 2.0
SILENT_S_MAX = 5.0
"""The broker is asked once a second whether it is there, also while nobody sends: after so long without an
answer nothing is taken, and a new producer looks for it."""

UNKNOWN = "the outcome is unknown: send the request again with the same ids, duplicates are booked once"

ByPartition = dict[int, list[Record]]
ByLog = dict[tuple[str, int], list[Record]]
"""By topic and partition."""


@dataclass(eq=False)
class _WaitingRequest:
    """One request: its records, and whether the broker acknowledged them all."""

    records: ByLog
    acknowledged: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def by_partition(
    events: Iterable[UsageEvent | OutcomeEvent], partitions: int, headers: Headers
) -> ByPartition:
    """The events as Kafka records by partition: keyed by identity, in the order given."""
    found: ByPartition = {}
    for event in events:
        key = identity(event.tenant, event.source, event.id)
        record = (key, encode_event(event), headers)
        found.setdefault(partition_of(key, partitions), []).append(record)
    return found


class Publisher:
    """Run `keep_publishing` beside the server; call `publish` from any number of requests."""

    def __init__(self, topic: str, outcome_topic: str, make_producer: Callable[[], AIOKafkaProducer]) -> None:
        self._topic, self._outcome_topic = topic, outcome_topic
        self._make_producer = make_producer
        self._trouble = "not connected to Kafka yet"
        self._partitions: dict[str, int] = {}
        self._queue: list[_WaitingRequest] = []
        self._queued_events = 0
        self._wanted = asyncio.Event()
        self._full = asyncio.Event()
        self._flush_began: float | None = None
        self._answered = Heartbeat("the broker answered", SILENT_S_MAX)

    def trouble(self) -> str:
        """Why nothing can be published; '' = it can."""
        if self._flush_began is not None:
            waited = asyncio.get_running_loop().time() - self._flush_began
            if waited > STUCK_S:
                return f"the broker has acknowledged nothing for {waited:.0f} s"
        return self._trouble or self._answered.trouble()

    async def publish(
        self, events: Iterable[UsageEvent], headers: Headers, outcomes: Iterable[OutcomeEvent] = ()
    ) -> None:
        """Return when the broker has acknowledged every event and every outcome. Raises RequestRefused 503;
        whether it has them is then unknown, unless nothing was sent because it was away to begin with."""
        if trouble := self.trouble():
            raise unavailable(f"{trouble}; nothing was sent")
        waiting = _WaitingRequest(
            {
                (topic, partition): records
                for topic, of_topic in ((self._topic, events), (self._outcome_topic, outcomes))
                for partition, records in by_partition(of_topic, self._partitions[topic], headers).items()
            }
        )
        if not waiting.records:
            return
        self._queue.append(waiting)
        self._queued_events += sum(map(len, waiting.records.values()))
        self._wanted.set()
        if self._queued_events >= GATHER_EVENTS_MAX:
            self._full.set()
        try:
            async with asyncio.timeout(DEADLINE_S):
                acknowledged = await waiting.acknowledged
        except TimeoutError:
            raise unavailable(f"the broker did not answer within {DEADLINE_S:g} s; {UNKNOWN}") from None
        if not acknowledged:
            raise unavailable(f"the broker failed; {UNKNOWN}")

    async def keep_publishing(self) -> None:
        """Connect, flush what waits, and begin again with a new producer whenever one has failed. For ever.

        A failed producer is never used again: its sequence numbers have moved on past what was not written.
        """
        await keep_doing(
            self._publish_until_failure,
            "Kafka away",
            away=(KafkaError, OSError, TimeoutError),
            topic=self._topic,
        )

    async def _publish_until_failure(self) -> None:
        producer = self._make_producer()
        try:
            await self._connect(producer)
            await self._serve(producer)
        except (KafkaError, OSError, TimeoutError) as error:
            self._trouble = f"Kafka cannot be reached ({type(error).__name__})"
            raise
        finally:
            self._flush_began = None
            await let_go(producer)
            self._fail(self._take())

    async def _connect(self, producer: AIOKafkaProducer) -> None:
        async with asyncio.timeout(CONNECT_S_MAX):
            await producer.start()
            self._partitions = {
                topic: len(await producer.partitions_for(topic))
                for topic in (self._topic, self._outcome_topic)
            }
        self._trouble = ""
        self._answered.beat()
        log().info("publishing", topic=self._topic, count=self._partitions[self._topic])

    async def _serve(self, producer: AIOKafkaProducer) -> None:
        """Flush, and keep asking whether the broker is there, until either fails."""
        tasks = [
            asyncio.create_task(self._flush_until_failure(producer)),
            asyncio.create_task(self._ask_until_silent(producer)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_until_silent(self, producer: AIOKafkaProducer) -> None:
        while True:
            await asyncio.sleep(ASK_INTERVAL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_S_MAX):
                    if await producer.client.force_metadata_update():
                        self._answered.beat()
            # A flush under way has deadlines of its own, and may yet be acknowledged.
            if self._flush_began is None and (trouble := self._answered.trouble()):
                raise KafkaConnectionError(trouble)

    async def _flush_until_failure(self, producer: AIOKafkaProducer) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await self._wanted.wait()
            pause = max(GATHER_S, last + SPACING_S - loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._full.wait()
            last = loop.time()
            if not (taken := self._take()):
                continue
            self._flush_began = loop.time()
            try:
                async with asyncio.timeout(GIVE_UP_S):
                    failure = await self._flush(producer, taken)
            except BaseException:
                self._fail(taken)
                raise
            if failure is not None:
                raise failure
            self._flush_began = None

    def _take(self) -> list[_WaitingRequest]:
        """Everything that waits, but for requests that were answered (with a 503) before their turn came."""
        taken = [waiting for waiting in self._queue if not waiting.acknowledged.done()]
        self._queue, self._queued_events = [], 0
        self._wanted.clear()
        self._full.clear()
        return taken

    @staticmethod
    def _fail(taken: Iterable[_WaitingRequest]) -> None:
        for waiting in taken:
            if not waiting.acknowledged.done():
                waiting.acknowledged.set_result(False)

    async def _flush(self, producer: AIOKafkaProducer, taken: list[_WaitingRequest]) -> BaseException | None:
        """Send it all, tell every request how its own batches fared, and return the first failure."""
        merged: ByLog = {}
        for waiting in taken:
            for place, records in waiting.records.items():
                merged.setdefault(place, []).extend(records)
        sent = {
            (topic, partition): await send_batches(producer, topic, partition, records)
            for (topic, partition), records in merged.items()
        }
        batches = [batch for of_log in sent.values() for batch in of_log]
        await asyncio.wait(batches)
        failures = {
            place: error
            for place, of_log in sent.items()
            for batch in of_log
            if (error := batch.exception()) is not None
        }
        for waiting in taken:
            if not waiting.acknowledged.done():
                waiting.acknowledged.set_result(failures.keys().isdisjoint(waiting.records))
        return next(iter(failures.values()), None)
