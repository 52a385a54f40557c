"""Reads the committed bytes on usage.events, one partition after the other."""

from collections.abc import Mapping
from itertools import takewhile
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from spendmeter.platform.kafka_access import KafkaAccess

POLL_MS = 500
SILENT_POLLS_MAX = 20
"""Polls without progress before the broker counts as not answering."""
FETCH_BYTES_MAX = 1024 * 1024
FETCH_WAIT_MS_MAX = 50
"""A fetch that waits at the end of one partition keeps the next partition waiting for so long."""
RECORDS_AT_ONCE = 2_000
NOWHERE = -1

TopicRecord = tuple[int, bytes | None]
"""(offset, value)."""


class TopicReader:
    """`async with TopicReader(...)`: the records of one partition at a time, in order."""

    def __init__(self, kafka: KafkaAccess, name: str) -> None:
        self.name = name
        self._consumer = AIOKafkaConsumer(
            **kafka.options(),
            client_id="spendmeter-verify",
            group_id=None,
            isolation_level="read_committed",
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
        )
        self._at: TopicPartition | None = None
        self._read: list[TopicRecord] = []
        self._taken = self._end = self._reach = 0

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def reach(self, partitions: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """The beginning and the end of each partition, as the broker says them."""
        all_of_it = [TopicPartition(self.name, partition) for partition in range(partitions)]
        begins = await self._consumer.beginning_offsets(all_of_it)
        ends = await self._consumer.end_offsets(all_of_it)
        return {tp.partition: at for tp, at in begins.items()}, {tp.partition: at for tp, at in ends.items()}

    async def enter(self, partition: int, start: int, end: int) -> None:
        """Go on with [start, end) of a partition, as far as the broker has it; where `end` is not after
        `start`, with nothing. What follows on what was taken last is not fetched again."""
        at = TopicPartition(self.name, partition)
        goes_on = at == self._at and start == self._taken < end
        if not goes_on:
            self._read, self._at, self._reach = [], None, 0
        if start >= end:
            return
        if not goes_on:
            self._consumer.assign([at])
        if end > self._reach:
            self._reach = (await self._consumer.end_offsets([at]))[at]
        self._end = min(end, self._reach)
        if not goes_on and start < self._end:
            self._consumer.seek(at, start)
            self._at = at

    async def take(self, before: int) -> list[TopicRecord]:
        """The records not yet taken whose offset lies before `before`. Raises ConnectionError when the broker
        stops answering."""
        silent, end = 0, min(before, self._end)
        self._taken = NOWHERE
        while self._at is not None and (position := await self._consumer.position(self._at)) < end:
            polled = await self._consumer.getmany(self._at, timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            self._read += [(record.offset, record.value) for record in polled.get(self._at, ())]
            moved = await self._consumer.position(self._at) > position
            silent = 0 if moved else silent + 1
            if silent > SILENT_POLLS_MAX:
                raise ConnectionError(
                    f"the broker sends nothing more: partition {self._at.partition} before {self._end}"
                )
        taken = list(takewhile(lambda record: record[0] < end, self._read))
        del self._read[: len(taken)]
        self._taken = end
        return taken
