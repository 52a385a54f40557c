"""Reads the bytes on usage.events from the first to the last, and holds the book against them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b

from aiokafka import AIOKafkaConsumer, TopicPartition

from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.verify.book import BOOKED, CONFLICT, DUPLICATE, NOTHING, REJECTED, Book, GroupKey
from spendmeter.verify.literals import Literals
from spendmeter.verify.report import Report
from spendmeter.verify.submissions import Submissions
from spendmeter.verify.usage import Unreadable, Usage, content_digest, identity, read

POLL_MS = 500
SILENT_POLLS_MAX = 20
"""Polls without progress before the broker counts as not answering."""


@dataclass(kw_only=True)
class Oracle:
    """What the bytes on the topic are worth, by the price table alone."""

    report: Report
    book: Book
    literals: Literals | None
    submissions: Submissions | None
    sums: dict[GroupKey, Counter[str]] = field(default_factory=dict)
    undecided: set[GroupKey] = field(default_factory=set)
    """Groups with an event that the table cannot price."""
    delivered: dict[int, bytearray] = field(default_factory=dict)
    """By partition: 1 for each offset that the broker delivered."""

    def reach(self, partition: int) -> tuple[int, int]:
        """The first offset that can be read, and the first that the book has not passed."""
        position = self.book.positions.get(partition)
        return self.book.starts.get(partition, 0), 0 if position is None else int(position["next_origin"])

    def take(self, partition: int, offset: int, value: bytes | None) -> None:
        """Judge one record of usage.events by what the book made of it; one in flight is only seen."""
        report, where = self.report, f"usage.events {partition}@{offset}"
        in_flight = offset >= len(self.delivered[partition])
        if not in_flight:
            self.delivered[partition][offset] = 1
        outcome = REJECTED if in_flight else self.book.outcome(partition, offset)
        report.check("I1")
        try:
            event = read(value)
        except Unreadable as error:
            if outcome != REJECTED:
                report.find("I1", f"not rejected, though it {error}", where)
            return
        key = identity(event.tenant, event.source, event.id)
        if self.submissions is not None:
            self.submissions.saw(key, event, where, report)
        if in_flight:
            return
        if outcome == REJECTED:
            report.pass_over("I1", "readable events that were rejected by a rule this program does not know")
            return
        self._judge(key, event, partition, offset, value or b"", outcome)

    def _judge(self, key: bytes, event: Usage, partition: int, offset: int, raw: bytes, outcome: int) -> None:
        report, named = self.report, f"{event} (usage.events {partition}@{offset})"
        row = self.book.rows.get(key)
        if key in self.book.copied:
            self.book.copied[key][partition, offset] = content_digest(event)
        if outcome == NOTHING:
            report.find("I1", "missing: passed, and neither booked nor set aside", named)
        if row is not None and (row.partition, row.offset) == (partition, offset):
            if row.event_digest != blake2b(raw, digest_size=8).digest():
                report.find("I4", "changed: the entry holds another event than the topic", named)
            self._price(event, named, Decimal(row.list), row.currency)
        elif outcome == BOOKED:
            report.find("I1", "changed: its offset was booked under another identity", named)
        elif row is None and outcome == NOTHING:
            self._price(event, named, None, "")
        elif row is not None and row.partition == partition and offset < row.offset:
            report.find("I1", f"passed over: a later copy, at offset {row.offset}, was booked instead", named)

    def _price(self, event: Usage, named: str, booked: Decimal | None, currency: str) -> None:
        """Add the event's worth to the oracle's sums, and compare it with the amount in the book."""
        if self.literals is None:
            return
        group = (event.tenant, event.provider, event.sku, event.hour)
        amount = self.literals.amount(event)
        if amount is None or (booked is not None and currency != self.literals.currency):
            self.undecided.add(group)
            self.report.pass_over("I4", "events whose price or currency is not in the table")
            return
        self.sums.setdefault(group, Counter())[self.literals.currency] += amount  # type: ignore[assignment]
        if booked is not None and booked != amount:
            self.report.find("I4", f"changed: list is {booked}, the table says {amount}", named)

    def conclude(self) -> None:
        """What can be said when all records were seen: sums, copies, and rows that no record explains."""
        if self.literals is None:
            self.report.pass_over("I4", "entries without a price table", len(self.book.rows))
        else:
            self._compare_sums()
        for key, contents in self.book.copied.items():
            self._compare_copies(key, contents)
        past = set()
        for key, row in self.book.rows.items():
            if row.offset < self.book.starts.get(row.partition, 0):
                past.add(key)
                self.report.pass_over("I4", "entries whose event the broker no longer has")
            elif not self._was_delivered(row.partition, row.offset):
                where = f"usage.events {row.partition}@{row.offset}"
                self.report.find(
                    "I1", "booked, but no such record is on the topic", f"identity {key.hex()}, {where}"
                )
        if self.submissions is not None:
            self.submissions.conclude(self.book.rows, past, self.report)

    def _was_delivered(self, partition: int, offset: int) -> bool:
        delivered = self.delivered.get(partition, b"")
        return offset < len(delivered) and bool(delivered[offset])

    def _compare_sums(self) -> None:
        for group in self.sums.keys() | self.book.sums.keys():
            if group in self.undecided or group in self.book.past:
                continue
            self.report.check("I4")
            booked, worth = self.book.sums.get(group, Counter()), self.sums.get(group, Counter())
            for currency in booked.keys() | worth.keys():
                if booked[currency] != worth[currency]:
                    tenant, provider, sku, hour = group
                    what = f"the sum is {booked[currency]} {currency}, the oracle's is {worth[currency]}"
                    self.report.find("I4", what, f"{tenant} {provider}/{sku} in {hour:%Y-%m-%dT%H}Z")

    def _compare_copies(self, key: bytes, contents: dict[tuple[int, int], bytes]) -> None:
        row = self.book.rows.get(key)
        winner = contents.get((row.partition, row.offset)) if row is not None else None
        if winner is None:
            self.report.pass_over("I1", "copies whose first one is not there to compare")
            return
        for (partition, offset), content in contents.items():
            outcome = self.book.outcome(partition, offset)
            should = DUPLICATE if content == winner else CONFLICT
            if outcome in (DUPLICATE, CONFLICT) and outcome != should:
                names = {DUPLICATE: "duplicate", CONFLICT: "conflict"}
                where = f"identity {key.hex()}, usage.events {partition}@{offset}"
                self.report.find(
                    "I1", f"changed: is a {names[should]}, was set aside as {names[outcome]}", where
                )


async def read_topic(kafka: KafkaAccess, topic: str, log_ends: Mapping[int, int], oracle: Oracle) -> None:
    """Give `oracle` every committed record up to `log_ends` (by partition), or to where the book has come
    since. Raises ConnectionError when the broker stops answering."""
    consumer = AIOKafkaConsumer(
        **kafka.options(),
        client_id="spendmeter-verify",
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="none",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, partition) for partition in log_ends]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            start, passed = oracle.reach(partition.partition)
            oracle.delivered[partition.partition] = bytearray(passed)
            oracle.report.pass_over("I1", "offsets that the broker no longer has", min(start, passed))
            ends[partition] = min(ends[partition], max(log_ends[partition.partition], passed))
            consumer.seek(partition, min(start, ends[partition]))
        await _read_to(consumer, ends, oracle)
    finally:
        await consumer.stop()


async def _read_to(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], oracle: Oracle) -> None:
    silent = 0
    waiting = dict(ends)
    while True:
        for partition, end in list(waiting.items()):
            if await consumer.position(partition) >= end:
                del waiting[partition]
                consumer.pause(partition)
        if not waiting:
            return
        polled = await consumer.getmany(timeout_ms=POLL_MS)
        silent = 0 if polled else silent + 1
        if silent > SILENT_POLLS_MAX:
            names = ", ".join(f"{p.partition} before {end}" for p, end in waiting.items())
            raise ConnectionError(f"the broker sends nothing more: partition {names}")
        for partition, records in polled.items():
            for record in records:
                if record.offset < ends[partition]:
                    oracle.take(partition.partition, record.offset, record.value)
