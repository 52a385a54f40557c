"""The partitions of `usage.events` that the group gives us: taken up, given up, and stopped where their log
no longer fits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

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


class Partitions(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """`states` are those that are open; `open` opens what was assigned, `watch` looks at the topic."""

    def __init__(
        self,
        topic: str,
        *,
        states: dict[TopicPartition, PartitionState],
        round_under_way: asyncio.Lock,
        consumer: AIOKafkaConsumer,
        admin: KafkaAdmin,
        meters: Meters,
    ) -> None:
        self.states = states
        self.assignment = 0
        """Counts rebalances: what was polled under an earlier one belongs to somebody else by now."""
        self.created_anew = ""
        """That the topic is another one now; '' = it is not."""
        self.answered = Heartbeat("the broker answered", ANSWER_AGE_S_MAX)
        self._topic = topic
        self._topic_id = ""
        """When this process first saw it."""
        self._seen: dict[TopicPartition, PartitionState] = {}
        """The last state of each partition, also of those that are somebody else's by now."""
        self._round = round_under_way
        self._consumer = consumer
        self._admin = admin
        self._meters = meters

    def subscribe(self) -> None:
        """Ask the group for partitions."""
        self._consumer.subscribe([self._topic], listener=self)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Every rebalance takes everything away: let the round end, or abandon it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S_MAX), self._round:
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
        missing = [tp for tp in self._consumer.assignment() if tp not in self.states]
        if not missing:
            return
        facts = (await self._admin.topics([self._topic])).get(self._topic)
        if facts is None:
            raise KafkaError(f"{self._topic} has no leader just now")
        self._topic_id = self._topic_id or facts.id
        assignment = self.assignment
        begins = await self._consumer.beginning_offsets(missing)
        ends = await self._consumer.end_offsets(missing)
        for partition in missing:
            committed = await self._consumer.committed(partition)
            if assignment != self.assignment:
                return
            begin, end = begins[partition], ends[partition]
            state = open_partition(partition, topic_id=facts.id, committed=committed, begin=begin, end=end)
            if facts.id == self._topic_id:
                self._seen[partition] = state
            else:  # the deletion took the group's offsets with it, so that this looks like a first start
                seen = self._seen.get(partition, state)
                state.stopped = created_anew(partition, self._topic_id, facts.id, nothing_rated(seen))
            self._consumer.seek(partition, state.next)
            self.states[partition] = state
            self._stop(partition, state.stopped)

    async def watch(self) -> None:
        """Once a second, until cancelled: is it still the same topic?"""
        await keep_doing(self._look, "the broker does not answer", every_s=WATCH_S, beat=self.answered)

    async def _look(self) -> None:
        async with asyncio.timeout(ANSWER_AGE_S_MAX):
            facts = (await self._admin.topics([self._topic])).get(self._topic)
        # A topic that has no leader just now is left out of the facts, and is no loss.
        if facts is None or not self._topic_id or facts.id == self._topic_id:
            return
        self.created_anew = f"{self._topic} was created anew (topic id {self._topic_id} became {facts.id})"
        for partition, state in self.states.items():
            if not state.stopped:
                lost = created_anew(partition, self._topic_id, facts.id, nothing_rated(state))
                self._stop(partition, lost)

    def _stop(self, partition: TopicPartition, reason: str) -> None:
        """Stop the line of an open partition, if there is a reason."""
        if reason:
            self.states[partition].stopped = reason
            self._consumer.pause(partition)
            log().error("line stopped: records are lost", partition=partition.partition, reason=reason)
        stopped = sum(1 for state in self.states.values() if state.stopped)
        self._meters.set("spendmeter.line.stopped", stopped, service="rating")
