"""What only an administrator asks of Kafka: creating topics, their ids, and what a group has committed."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from spendmeter.contracts.topics import Topic
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.topic_ids import TopicFacts, committed_offsets, topic_facts

REPLICAS_MAX = 3
TOPIC_SECONDS_MAX = 30


class KafkaAdmin:
    """`async with KafkaAdmin(settings.kafka) as admin`; topic names are full names, prefix included."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._admin = AIOKafkaAdminClient(**kafka.options(), client_id="spendmeter-admin")

    async def start(self) -> None:
        """Connect; after a failure nothing is left open."""
        try:
            await self._admin.start()
        except BaseException:
            await self._admin.close()
            raise

    async def stop(self) -> None:
        """Let go of the connections."""
        await self._admin.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def ensure_topics(self, topics: Sequence[Topic], *, prefix: str, partitions: int) -> None:
        """Create what is missing; what exists stays as it is."""
        existing = await self._admin.list_topics()
        brokers = len((await self._admin.describe_cluster())["brokers"])
        missing = [
            NewTopic(
                name=prefix + topic.name,
                num_partitions=topic.partitions or partitions,
                replication_factor=min(REPLICAS_MAX, brokers),
                topic_configs=topic.config(),
            )
            for topic in topics
            if prefix + topic.name not in existing
        ]
        if missing:
            response = await self._admin.create_topics(missing)
            for name, code, message in response.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)(f"topic {name} could not be created: {message}")
        names = [prefix + topic.name for topic in topics]
        async with asyncio.timeout(TOPIC_SECONDS_MAX):
            while len(await self.topics(names)) < len(names):  # noqa: ASYNC110 - no event tells us
                await asyncio.sleep(0.05)

    async def topics(self, names: Sequence[str]) -> dict[str, TopicFacts]:
        """Facts by name; a topic that does not exist, or has a partition without a leader, is left out."""
        return await topic_facts(self._admin, names)

    async def committed(self, group: str) -> Mapping[TopicPartition, int]:
        """The group's committed offsets; empty for a group that never committed or cannot be asked yet."""
        return await committed_offsets(self._admin, group)
