"""Rounds on a consumer in memory: a rebalance between two attempts to read passes over nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from services.rating import rounds as rounds_module
from services.rating.partitions import Partitions
from services.rating.rounds import ConsumerBroken, Rounds
from spendmeter.platform.telemetry import Meters
from spendmeter.platform.topic_ids import TopicFacts

PARTITION = TopicPartition("usage.events", 0)
COMMITTED, END = 100, 150


class Consumer:
    """Partition 0 with records up to END, of a group that has committed COMMITTED."""

    def __init__(self) -> None:
        self.place = 0
        self.committed_to: list[int] = []
        self.done = asyncio.Event()

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, END)

    async def committed(self, partition: TopicPartition) -> int:
        return COMMITTED

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.place = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.place

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        begin, self.place = self.place, END
        records = [
            SimpleNamespace(partition=0, offset=offset, key=b"", value=b"", headers=(), timestamp=1)
            for offset in range(begin, END)
        ]
        return {PARTITION: records} if records else {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed_to.append(offsets[PARTITION])
        self.done.set()


class Admin:
    """Has no leader at first; meanwhile the group assigns the partition anew."""

    def __init__(self) -> None:
        self.partitions: Partitions
        self.asked = 0

    async def topics(self, names: list[str]) -> dict[str, TopicFacts]:
        self.asked += 1
        if self.asked == 1:
            self.rebalance = asyncio.create_task(self.partitions.on_partitions_assigned([PARTITION]))
            raise KafkaError("no leader just now")
        return {"usage.events": TopicFacts(id="topic", partitions=1)}


async def test_what_is_polled_after_a_rebalance_during_a_failed_attempt_is_answered_from_the_committed_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered: list[tuple[int, int]] = []

    def answer(key: object, value: object, *, origin: Any, prev: int, **_: object) -> SimpleNamespace:
        answered.append((origin.offset, prev))
        return SimpleNamespace(key=b"", value=b"", outcome="priced", reports_little=None)

    async def send_batches(*_: object) -> list[asyncio.Future[None]]:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return [sent]

    async def connected() -> None:
        return None

    monkeypatch.setattr(rounds_module, "send_batches", send_batches)
    consumer, admin, lock, meters = Consumer(), Admin(), asyncio.Lock(), Meters()
    admin.partitions = Partitions(
        topic="usage.events", states={}, under_way=lock, consumer=consumer, admin=admin, meters=meters
    )
    rounds = Rounds(
        topic="usage.rated",
        rater=SimpleNamespace(answer=answer),
        catalog=SimpleNamespace(book=object()),
        partitions=admin.partitions,
        under_way=lock,
        consumer=consumer,
        sender=SimpleNamespace(connected=connected),
        meters=meters,
    )
    running = asyncio.create_task(rounds.run())
    async with asyncio.timeout(10):
        await consumer.done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert answered == [(offset, offset - 1) for offset in range(COMMITTED, END)]
    assert consumer.committed_to == [END]


async def test_a_consumer_whose_group_task_has_died_ends_the_process_instead_of_being_asked_for_ever() -> (
    None
):
    """As aiokafka's does where it meets a broker that knows of no broker yet."""

    async def getmany(**_: object) -> None:
        raise KafkaError("Unexpected error during coordination AssertionError()")

    async def opened() -> None:
        return None

    rounds = Rounds(
        topic="usage.rated",
        rater=SimpleNamespace(),
        catalog=SimpleNamespace(),
        partitions=SimpleNamespace(assignment=0, open=opened),
        under_way=asyncio.Lock(),
        consumer=SimpleNamespace(getmany=getmany),
        sender=SimpleNamespace(),
        meters=Meters(),
    )
    async with asyncio.timeout(10):
        with pytest.raises(ConsumerBroken):
            await rounds.run()
