"""The rows of what a batch does not book: whose it was, and why. Pure."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.ledger.batch import Batch
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.rated import RatedUsage

UNATTRIBUTABLE = ""
_BY_KEY = ("duplicate", "conflict", "rejected")
_REASONS = {
    "duplicate": "the same event was booked before",
    "conflict": "another event with the same tenant, source and id was booked before; that one stays",
}
_RETRACTED = (
    "the event of this tenant, source and id was retracted on {:%Y-%m-%d}; "
    "send a new event id with `supersedes`"
)


class BadRecord(ValueError):
    """A record has something else where hex digits belong: rating writes no such thing."""


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What the book says of an identity that it has already."""

    hashes: frozenset[str]
    """In hex: as first booked, and as last amended."""
    retracted_at: datetime | None = None

    def outcome_of(self, copy: RatedUsage) -> str:
        """A duplicate says what the event said, or was amended to say; a conflict something else. A copy that
        came in after the retraction says that the usage was, which the book no longer does."""
        if copy.hash not in self.hashes or self._denies(copy):
            return "conflict"
        return "duplicate"

    def _denies(self, copy: RatedUsage) -> bool:
        if self.retracted_at is None:
            return False
        received = msgspec.json.decode(copy.event, type=_Received).receivedat
        return received is not None and received > self.retracted_at


_NEW = KnownEvent(hashes=frozenset())
"""Of what is booked by the same batch."""


class _Received(msgspec.Struct, frozen=True):
    receivedat: datetime | None = None


class Sender(msgspec.Struct, frozen=True):
    """Of an event, who sent it."""

    source: str
    id: str
    keyid: str = ""


def unbooked_rows(
    batch: Batch,
    classified: list[tuple[RatedUsage, str]],
    known: Mapping[str, KnownEvent],
    differences: Mapping[int, str],
) -> list[tuple[Any, ...]]:
    """As the table `unbooked` has them; `known`: the identities that were booked before, `differences`: what
    conflicts differ in, by offset. Of a retracted event copies of either kind say how to send it anew."""
    before = batch.before
    rows: list[tuple[Any, ...]] = []
    for event, outcome in classified:
        raw, sender = bytes(event.event), msgspec.json.decode(event.event, type=Sender)
        digest = hashlib.sha256(raw).digest() if outcome == "conflict" else None
        differs = differences.get(event.origin.offset)
        winner = known.get(event.identity)
        why = _RETRACTED.format(winner.retracted_at) if winner and winner.retracted_at else _REASONS[outcome]
        reason = why + (f"; this one differs in {differs}" if differs else "")
        rows.append(
            (before.origin_topic, before.partition, event.origin.offset, outcome, event.tenant, sender.keyid,
             bytes.fromhex(event.identity), sender.source, sender.id, reason, len(raw), digest)
        )  # fmt: skip
    for refused in batch.rejected:
        named = refused.tenant and refused.id
        named_identity = identity(refused.tenant, refused.source, refused.id) if named else None
        rows.append(
            (before.origin_topic, before.partition, refused.origin.offset, "rejected", refused.tenant,
             refused.key_id, named_identity, refused.source, refused.id, refused.reason, refused.size,
             from_hex(refused.sha256))
        )  # fmt: skip
    rows += [
        (before.rated_topic, before.partition, stray.offset, "stray", UNATTRIBUTABLE, "", None, "", "",
         stray.reason, stray.size, stray.sha256)
        for stray in batch.strays
    ]  # fmt: skip
    return rows


def later_rows(
    batch: Batch, classified: list[tuple[RatedUsage, str]], known: Mapping[str, KnownEvent]
) -> list[tuple[Any, ...]]:
    """As the table `later_messages` has them: the conflicts that may say more of what is booked, and was not
    retracted."""
    before = batch.before
    return [
        (before.origin_topic, before.partition, event.origin.offset, event.tenant,
         bytes.fromhex(event.identity), str(event.event, "utf-8"))
        for event, outcome in classified
        if outcome == "conflict" and known.get(event.identity, _NEW).retracted_at is None
    ]  # fmt: skip


def by_key(unbooked: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """How many of these rows each key caused: (partition, tenant, key id, duplicate, conflict, rejected)."""
    counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for _, partition, _, outcome, tenant, key_id, *_ in unbooked:
        if outcome in _BY_KEY:  # a stray is nobody's event
            counts[partition, tenant, key_id][outcome] += 1
    return [(*whose, *(count[name] for name in _BY_KEY)) for whose, count in sorted(counts.items())]


def from_hex(digits: str) -> bytes:
    """Raises BadRecord."""
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise BadRecord from error
