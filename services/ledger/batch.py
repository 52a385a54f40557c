"""Steps 0 and 1 of a booking, pure: what of the records in hand is new and contiguous, and what repeats.

`collect` takes records of one partition of usage.rated in order and how far the book has come, and decides
without asking anybody. Whether an event was booked before, the database alone knows: that is book.py.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from aiokafka import TopicPartition

from spendmeter.contracts.rated import Origin, PassedHoles, RatedUsage, RejectedUsage, decode_rated
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform.log_fit import created_anew

REASON_CHARACTERS_MAX = 500
OFFSET_LIMIT = 2**62


class LossFound(Exception):
    """Records are gone that were neither booked nor rejected: the line must stop and say which."""


@dataclass(frozen=True, kw_only=True)
class BookPosition:
    """How far the book has applied a partition: positions.* of that partition."""

    partition: int
    rated_topic: str
    position: int
    """The next offset of usage.rated."""
    origin_topic: str
    next_origin: int
    """The next offset of usage.events."""


@dataclass(kw_only=True)
class Stray:
    """A record on usage.rated that is no answer to any usage event."""

    offset: int
    reason: str
    size: int
    sha256: bytes


@dataclass(kw_only=True)
class Batch:
    """What one transaction applies. `usage` holds each identity once: its first copy in this batch."""

    before: BookPosition
    position: int
    next_origin: int
    usage: dict[str, RatedUsage] = field(default_factory=dict)
    copies: list[RatedUsage] = field(default_factory=list)
    """Later copies of an identity in `usage`, in order."""
    rejected: list[RejectedUsage] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    holes: int = 0
    redelivered: int = 0
    """Skipped: already applied. Counted nowhere but here."""
    ahead: int = 0
    """Skipped: something before them is missing, and rating, which has not committed past it, will send all
    of it again."""


def collect(before: BookPosition, records: Sequence[tuple[int, bytes | None]]) -> Batch:
    """Sort `records` ((offset, value), in order) into a Batch. Raises LossFound when usage.events was
    created anew under the book's feet."""
    batch = Batch(before=before, position=before.position, next_origin=before.next_origin)
    for offset, value in records:
        batch.position = offset + 1
        try:
            record = decode_rated(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            batch.strays.append(_stray(offset, value, f"is not a rated record: {error}"))
            continue
        reason = _not_ours(record.origin, record.prev, before)
        if reason:
            batch.strays.append(_stray(offset, value, reason))
        else:
            _take(batch, record)
    return batch


def _take(batch: Batch, record: RatedUsage | RejectedUsage | PassedHoles) -> None:
    origin = record.origin
    before = batch.before
    if origin.topic != before.origin_topic:
        log = TopicPartition(USAGE_EVENTS.name, before.partition)
        never = f"everything from offset {batch.next_origin} on was never booked"
        raise LossFound(created_anew(log, before.origin_topic, origin.topic, never))
    if origin.offset < batch.next_origin:
        batch.redelivered += 1
        return
    if record.prev >= batch.next_origin:
        batch.ahead += 1
        return
    if isinstance(record, PassedHoles):
        batch.holes += origin.offset - batch.next_origin
        batch.next_origin = origin.offset
        return
    batch.holes += origin.offset - batch.next_origin
    batch.next_origin = origin.offset + 1
    if isinstance(record, RejectedUsage):
        batch.rejected.append(record)
    elif record.identity in batch.usage:
        batch.copies.append(record)
    else:
        batch.usage[record.identity] = record


def _not_ours(origin: Origin, prev: int, before: BookPosition) -> str:
    """Why a well-formed record cannot be rating's answer on this partition; '' = it can."""
    if origin.partition != before.partition:
        return f"answers partition {origin.partition} but lies on partition {before.partition}"
    if not 0 <= origin.offset < OFFSET_LIMIT or not -1 <= prev <= origin.offset:
        return f"has an impossible origin: offset {origin.offset} after {prev}"
    return ""


def _stray(offset: int, value: bytes | None, reason: str) -> Stray:
    raw = value or b""
    return Stray(
        offset=offset,
        reason=reason[:REASON_CHARACTERS_MAX],
        size=len(raw),
        sha256=hashlib.sha256(raw).digest(),
    )


def refused_by_database(record: RatedUsage, reason: str) -> RejectedUsage:
    """The rejection that takes the place of an event which the database will not hold."""
    raw = bytes(record.event)
    return RejectedUsage(
        origin=record.origin,
        prev=record.prev,
        reason=f"refused by the database: {reason}"[:REASON_CHARACTERS_MAX],
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        tenant=record.tenant if record.tenant.isprintable() else "",
    )
