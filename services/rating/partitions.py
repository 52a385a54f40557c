"""The partitions of `usage.events` that the group gives us: taken up, given up, and stopped where their log
no longer fits."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from services.rating.partition_state import PartitionState, nothing_rated, open_partition
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.log_fit import created_anew
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log

ROUND_S_MAX = 4.0
"""How long a rebalance or a SIGTERM waits for the round under way before it is abandoned."""
WATCH_S = 1.0
ANSWER_AGE_S_MAX = 5.0
"""The broker is asked once a second, and answers in milliseconds."""


@dataclass(kw_only=True, eq=False)
class Partitions(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """`states` are those that are open; `open` opens what was assigned, `watch` looks at the topic."""

    topic: str
    states: dict[TopicPartition, PartitionState]
    under_way: asyncio.Lock
    """Held during a round."""
    consumer: AIOKafkaConsumer
    admin: KafkaAdmin
    meters: Meters
    assignment: int = 0
    """Counts rebalances: what was polled under an earlier one belongs to somebody else by now."""
    topic_id: str = ""
    """When this process first saw it."""
    created_anew: str = ""
    """That the topic is another one now; '' = it is not."""
    answered: Heartbeat = field(default_factory=lambda: Heartbeat("the broker answered", ANSWER_AGE_S_MAX))
    seen: dict[TopicPartition, PartitionState] = field(default_factory=dict)
    """The last state of each partition, also of those that are somebody else's by now."""

    def subscribe(self) -> None:
        """Ask the group for partitions."""
        self.consumer.subscribe([self.topic], listener=self)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes everything away: let the round end, or abandon it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S_MAX), self.under_way:
                pass
        self._begin_anew()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The next round opens them. What a round has opened since the revocation may be another's by now."""
        self._begin_anew()
        log().info("partitions assigned", count=len(list(assigned)))

    def _begin_anew(self) -> None:
        self.assignment += 1
        self.states.clear()

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are to be opened again."""
        for partition in partitions:
            self.states.pop(partition, None)

    async def open(self) -> None:
        """Take up what was assigned and is not open yet, from where the group stands. Raises KafkaError."""
        missing = [tp for tp in self.consumer.assignment() if tp not in self.states]
        if not missing:
            return
        facts = (await self.admin.topics([self.topic])).get(self.topic)
        if facts is None:
            raise KafkaError(f"{self.topic} has no leader just now")
        self.topic_id = self.topic_id or facts.id
        assignment = self.assignment
        begins = await self.consumer.beginning_offsets(missing)
        ends = await self.consumer.end_offsets(missing)
        for partition in missing:
            committed = await self.consumer.committed(partition)
            if assignment != self.assignment:
                return
            begin, end = begins[partition], ends[partition]
            state = open_partition(partition, topic_id=facts.id, committed=committed, begin=begin, end=end)
            if facts.id == self.topic_id:
                self.seen[partition] = state
            else:  # the deletion took the group's offsets with it, so that this looks like a first start
                seen = self.seen.get(partition, state)
                state.stopped = created_anew(partition, self.topic_id, facts.id, nothing_rated(seen))
            self.consumer.seek(partition, state.next)
            self.states[partition] = state
            self._stop(partition, state.stopped)

    async def watch(self) -> None:
        """Once a second, until cancelled: is it still the same topic?"""
        await keep_doing(self._look, "the broker does not answer", every_s=WATCH_S, beat=self.answered)

    async def _look(self) -> None:
        async with asyncio.timeout(ANSWER_AGE_S_MAX):
            facts = (await self.admin.topics([self.topic])).get(self.topic)
        # A topic that has no leader just now is left out of the facts, and is no loss.
        if facts is None or not self.topic_id or facts.id == self.topic_id:
            return
        self.created_anew = f"{self.topic} was created anew (topic id {self.topic_id} became {facts.id})"
        for partition, state in self.states.items():
            if not state.stopped:
                lost = created_anew(partition, self.topic_id, facts.id, nothing_rated(state))
                self._stop(partition, lost)

    def _stop(self, partition: TopicPartition, reason: str) -> None:
        """Stop the line of an open partition, if there is a reason."""
        if reason:
            self.states[partition].stopped = reason
            self.consumer.pause(partition)
            log().error("line stopped: records are lost", partition=partition.partition, reason=reason)
        stopped = sum(1 for state in self.states.values() if state.stopped)
        self.meters.set("spendmeter.line.stopped", stopped, service="rating")
