"""The `catalog` topic, read: its last marker, and what a database lacks of its publications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from spendmeter.contracts.catalog import (
    PUBLICATION_KEY,
    PUBLISHED_HEADER,
    CatalogEntry,
    Publication,
    PublishedAs,
    decode_catalog,
)
from spendmeter.contracts.entry_ids import entry_id
from spendmeter.platform.kafka import read_to_end

LAST_RECORDS = 1_000
"""Markers come last: mostly these hold one, and the others need not be read."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)


class UnknownEntry(NamedTuple):
    """An entry on the topic that the database did not have when the topic was read."""

    entry: CatalogEntry
    body: str
    said: PublishedAs | None
    """None = it was published by a release that did not say."""


class _Head(msgspec.Struct):
    id: str = ""
    version: int = 0


_head = msgspec.json.Decoder(_Head).decode
_said = msgspec.json.Decoder(PublishedAs).decode


@dataclass(kw_only=True)
class OnTopic:
    """What the topic holds. `known`: ids of entries, and versions, that the database has. Pure."""

    known: Mapping[str, int]
    keys: set[str] = field(default_factory=set)
    """Of all that have one, but for markers."""
    marker: Publication | None = None
    """The last one."""
    unknown: dict[str, UnknownEntry] = field(default_factory=dict)
    """By id; records that are no entries are not among them, as workers pass over them."""

    def take(self, records: Iterable[ConsumerRecord[Any, Any]]) -> None:
        """Take records in order."""
        for record in records:
            if record.key == PUBLICATION_KEY:
                self.marker = _marker(record.value) or self.marker
            elif record.key and record.value:
                self.keys.add(record.key.decode("ascii", "replace"))
                self._take_entry(record.value, record.headers)

    def _take_entry(self, value: bytes, headers: Iterable[tuple[str, bytes]]) -> None:
        try:
            head = _head(value)
            if self.known.get(head.id) == head.version:
                return
            entry = decode_catalog(value)
            if isinstance(entry, Publication) or entry.version < 1 or entry.id != entry_id(entry):
                return
            self.unknown.setdefault(entry.id, UnknownEntry(entry, value.decode(), _said_in(headers)))
        except _UNREADABLE:
            return


async def read_topic(
    consumer: AIOKafkaConsumer, partition: TopicPartition, known: Mapping[str, int]
) -> OnTopic:
    """All of it; the consumer runs."""
    found = OnTopic(known=known)
    async for records in read_to_end(consumer, partition):
        found.take(records)
    return found


async def last_marker(consumer: AIOKafkaConsumer, partition: TopicPartition) -> Publication | None:
    """The last marker; None = nothing was ever published. The consumer runs."""
    for last in (LAST_RECORDS, None):
        found = None
        async for records in read_to_end(consumer, partition, last=last):
            for record in records:
                if record.key == PUBLICATION_KEY:
                    found = _marker(record.value) or found
        if found is not None:
            return found
    return None


def _marker(value: bytes | None) -> Publication | None:
    try:
        record = decode_catalog(value or b"")
    except _UNREADABLE:
        return None
    return record if isinstance(record, Publication) else None


def _said_in(headers: Iterable[tuple[str, bytes]]) -> PublishedAs | None:
    for name, value in headers:
        if name == PUBLISHED_HEADER:
            return _said(value)
    return None
