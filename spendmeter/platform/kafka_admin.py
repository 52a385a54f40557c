"""What only an administrator asks of Kafka: creating topics, their ids, and what a group has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Self
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from spendmeter.contracts.topics import Topic
from spendmeter.platform.kafka_access import KafkaAccess

REPLICAS_MAX = 3
TOPIC_SECONDS_MAX = 30


class _TopicId(AbstractType[str]):
    """Kafka's 16-byte topic id, as 32 hex digits."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return UUID(value).bytes

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        return data.read(16).hex()


class _MetadataResponse(Response):
    # aiokafka speaks Metadata up to version 5; topic ids, which tell a re-created topic, need version 10.
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _TopicId), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataStruct]):
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        nobody = UUID(int=0).hex
        return request_struct_class([(nobody, name, {}) for name in self._names], False, False, False, {})


@dataclass(frozen=True, kw_only=True)
class TopicFacts:
    """A topic as the broker knows it: `id` changes when it is deleted and created again."""

    id: str
    partitions: int


class KafkaAdmin:
    """`async with KafkaAdmin(settings.kafka) as admin`; topic names are full names, prefix included."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._admin = AIOKafkaAdminClient(**kafka.options(), client_id="spendmeter-admin")

    async def __aenter__(self) -> Self:
        try:
            await self._admin.start()
        except BaseException:
            await self._admin.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()

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
        client = self._admin._client  # the public client offers no request with topic ids
        response = await client.send(client.get_random_node(), _MetadataRequest(names))
        return {
            name: TopicFacts(id=topic_id, partitions=len(partitions))
            for code, name, topic_id, _, partitions, *_ in response.topics
            if code == 0 and all(leader >= 0 for _, _, leader, *_ in partitions)
        }

    async def committed(self, group: str) -> Mapping[TopicPartition, int]:
        """The group's committed offsets; empty for a group that never committed or cannot be asked yet."""
        try:
            offsets = await self._admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            return {}
        return {partition: meta.offset for partition, meta in offsets.items() if meta.offset >= 0}
