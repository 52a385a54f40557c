"""What the broker knows of a topic and of a group: the topic's id, which tells one that was deleted and
created again under its name, and what the group has committed.

The id by a request of our own: Kafka's ids need Metadata of version 10, and aiokafka speaks up to 5.
docs/decisions/kafka-topic-ids.md says which clients were looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields


@dataclass(frozen=True, kw_only=True)
class TopicFacts:
    """A topic as the broker knows it: `id` changes when it is deleted and created again."""

    id: str
    partitions: int


async def topic_facts(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, TopicFacts]:
    """Facts by name; a topic that does not exist, or has a partition without a leader, is left out."""
    client = admin._client
    response = await client.send(client.get_random_node(), _MetadataRequest(names))
    return {
        name: TopicFacts(id=topic_id, partitions=len(partitions))
        for code, name, topic_id, _, partitions, *_ in response.topics
        if code == 0 and all(leader >= 0 for _, _, leader, *_ in partitions)
    }


async def committed_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """A group's offsets; empty for one that never committed or cannot be asked yet."""
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:
        return {}
    return {partition: meta.offset for partition, meta in offsets.items() if meta.offset >= 0}


class _TopicId(AbstractType[str]):
    """Kafka's 16-byte topic id, as 32 hex digits."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return UUID(value).bytes

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        return data.read(16).hex()


def _array_of(**types: Any) -> CompactArray:
    """Structures with these fields, in this order."""
    return CompactArray(*types.items(), _TAGS)


_TEXT, _NUMBERS, _TAGS = CompactString("utf-8"), CompactArray(Int32), ("tags", TaggedFields)
_PARTITIONS = _array_of(
    error_code=Int16,
    partition=Int32,
    leader=Int32,
    leader_epoch=Int32,
    replicas=_NUMBERS,
    isr=_NUMBERS,
    offline=_NUMBERS,
)
_TOPICS = _array_of(
    error_code=Int16,
    name=_TEXT,
    topic_id=_TopicId,
    is_internal=Boolean,
    partitions=_PARTITIONS,
    authorized_operations=Int32,
)


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", _array_of(node_id=Int32, host=_TEXT, port=Int32, rack=_TEXT)),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        ("topics", _TOPICS),
        ("authorized_operations", Int32),
        _TAGS,
    )


class _MetadataStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("topics", _array_of(topic_id=_TopicId, name=_TEXT)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataRequest(Request[_MetadataStruct]):
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        nobody = UUID(int=0).hex
        return request_struct_class([(nobody, name, {}) for name in self._names], False, False, False, {})
