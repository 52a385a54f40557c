"""Follows the `catalog` topic and holds the price book: the old one or the new one, never a mixture."""

import asyncio
import gc
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from spendmeter.contracts.catalog import CatalogEntry, Price, Publication, decode_catalog
from spendmeter.contracts.entry_ids import entry_id
from spendmeter.platform.kafka import READ_POLL_MS, READ_RECORDS_MAX, read_to_end
from spendmeter.platform.telemetry import Meters, log
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook


class Assembly:
    """Puts publications together from records, in whatever state the topic is. Pure."""

    def __init__(self) -> None:
        self._entries: dict[str, CatalogEntry] = {}
        self._alike: dict[Any, Any] = {}
        self._marker: Publication | None = None
        self.skipped = 0
        """Records that are no entries: random bytes, tombstones, ids that do not fit what the entry says."""

    def take(self, values: Iterable[bytes | None]) -> bool:
        """Take records in order; whether a marker was among them."""
        marked = False
        for value in values:
            try:
                record = decode_catalog(value or b"")
                fits = isinstance(record, Publication) or record.id == entry_id(record)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
                self.skipped += 1
                continue
            if isinstance(record, Publication):
                marked = True
                self._marker = record
            elif record.version > 0 and fits:
                if isinstance(record, Price):
                    _share_values(record, self._alike)
                self._entries.setdefault(record.id, record)
            else:
                self.skipped += 1
        return marked

    def complete(self) -> tuple[int, list[CatalogEntry]] | None:
        """The version of the last marker and its entries, if they are all here and no other is."""
        if self._marker is None:
            return None
        entries = [entry for entry in self._entries.values() if entry.version <= self._marker.version]
        return (self._marker.version, entries) if len(entries) == self._marker.entries else None

    def missing(self) -> str:
        """Why the last marker's publication cannot be used; '' = it can, or there is none."""
        if self._marker is None or self.complete() is not None:
            return ""
        here = sum(1 for entry in self._entries.values() if entry.version <= self._marker.version)
        return (
            f"publication {self._marker.version} has {self._marker.entries} entries, "
            f"of which this worker can read {here}"
        )


_SHARED = ("source", "recorded_at", "by", "provider", "sku", "unit", "price", "when")


def _share_values(price: Price, memo: dict[Any, Any]) -> None:
    """Let equal values of many prices be one object, which `memo` holds: a million prices of a catalog then
    take half the memory. What the price says stays the same."""
    for name in _SHARED:
        value = getattr(price, name)
        msgspec.structs.force_setattr(price, name, memo.setdefault(value, value))


class CatalogFollower:
    """`book` is None until the first complete publication; `trouble` says what is wrong with a later one."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, meters: Meters) -> None:
        self.book: PriceBook | None = None
        self.complete = asyncio.Event()
        """Set when there is a book."""
        self.trouble = ""
        self._consumer = consumer
        self._partition = TopicPartition(topic, 0)
        self._meters = meters
        self._assembly = Assembly()
        self._skipped = 0

    async def read_to_end(self) -> None:
        """Read everything that is on the topic now, and switch to its last complete publication."""
        marked = [self._take(records) async for records in read_to_end(self._consumer, self._partition)]
        if any(marked):
            await self._switch()

    async def follow(self) -> None:
        """Keep reading, for ever, and switch at every marker."""
        while True:
            try:
                polled = await self._consumer.getmany(timeout_ms=READ_POLL_MS, max_records=READ_RECORDS_MAX)
                if self._take(polled.get(self._partition, [])):
                    await self._switch()
            except OffsetOutOfRangeError:
                log().warning("the catalog topic was created anew: reading it from its beginning")
                self._assembly = Assembly()
                await self.read_to_end()

    def _take(self, records: Iterable[ConsumerRecord[Any, Any]]) -> bool:
        """Take records; whether a marker was among them."""
        marked = self._assembly.take(record.value for record in records)
        if self._assembly.skipped > self._skipped:
            count = self._assembly.skipped - self._skipped
            self._skipped = self._assembly.skipped
            self._meters.add("spendmeter.rating.catalog.skipped", count)
            log().warning("records on the catalog topic are no entries: skipped", count=count)
        return marked

    async def _switch(self) -> None:
        found = self._assembly.complete()
        self.trouble = self._assembly.missing()
        if found is not None and (self.book is None or found[0] != self.book.version):
            version, entries = found
            try:
                # In a thread: a large book takes longer to build than a heartbeat may wait.
                self.book = await asyncio.to_thread(PriceBook, entries, version)
                self.complete.set()
                _settle()
                log().info("price book switched", version=version, entries=len(entries))
                self._meters.set("spendmeter.rating.catalog.version", version)
            except CatalogError as error:
                self.trouble = f"publication {version} is no price book: {error}"
        if self.trouble:
            log().error("the price book in use stays", reason=self.trouble)


def _settle() -> None:
    """Free the book before, and let no collection look at this one: it is large, and stays."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
