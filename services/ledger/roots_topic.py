"""Reads and writes `ledger.roots`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from spendmeter.contracts.chain import ChainDay, ChainRecord, encode_chain
from spendmeter.platform.kafka import read_to_end, send_by_key
from spendmeter.platform.kafka_admin import KafkaAdmin


@dataclass(frozen=True, kw_only=True)
class RootsTopic:
    """By clients of the process, which are started elsewhere; nobody else uses the consumer."""

    name: str
    admin: KafkaAdmin
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer

    async def id(self) -> str | None:
        """The topic's id; None = there is no such topic, or it has no leader just now."""
        facts = (await self.admin.topics([self.name])).get(self.name)
        return None if facts is None else facts.id

    async def read(self, since: int) -> AsyncIterator[list[tuple[int, bytes | None]]]:
        """Offsets and values from `since` to the end, some at once."""
        async for records in read_to_end(self.consumer, TopicPartition(self.name, 0), since=since):
            yield [(record.offset, record.value) for record in records]

    async def publish(self, records: Iterable[ChainRecord]) -> None:
        """Back when the broker has them. Raises KafkaError and TimeoutError."""
        keyed = [
            ((record.tenant if isinstance(record, ChainDay) else "").encode(), encode_chain(record))
            for record in records
        ]
        await send_by_key(self.producer, self.name, keyed)
