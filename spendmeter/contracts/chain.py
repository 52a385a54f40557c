"""The chain of days: what is hashed of each entry, what follows from a day of them, and what is told of it on
`ledger.roots`. Pure, and written so that somebody else can write it again (docs/chain.md).

A value is written as its length in bytes of UTF-8, a colon, the value and a comma; NULL is "-,", which is
not ''. Numbers are plain decimals: no exponent, no zeros at their ends, no sign but a minus; 0 is "0".
Dates are YYYY-MM-DD, instants whole microseconds since 1970-01-01T00:00:00Z, bytes lower-case hexadecimal.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import TypeAlias

import msgspec
from msgspec import Struct

from spendmeter.contracts.money import plain

FORMAT = 1
"""What leaf and root are made by. A column that joins the entries makes another one, for days to come."""
LEAF_HEAD, ROOT_HEAD = b"entry.v1;", b"day.v1;"
LEAF_COLUMNS = (
    "recorded_on", "occurred_at", "identity", "seq", "recorded_at", "origin_partition", "origin_offset",
    "catalog_version", "accounting_period", "series_id", "tenant", "status", "currency", "list", "contracted",
    "effective", "event", "lines", "correction_id",
)  # fmt: skip
"""All columns of an entry, in the order in which a leaf has them."""
NO_LINK = bytes(32)
"""Where a day begins."""
CanonicalValue: TypeAlias = str | bytes | int | Decimal | date | datetime | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ChainSums(Struct, frozen=True, kw_only=True):
    """What the entries of a day come to in one currency, as plain decimals."""

    list: str
    contracted: str
    effective: str


class ChainDay(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.chain.day.v1"):
    """One tenant's entries recorded on one day of UTC, closed: nothing is recorded on it any more."""

    tenant: str
    epoch: int
    """1, and one more each time that the book was put back to an earlier state."""
    day: date
    previous_day: date | None
    """The tenant's last day with entries before this one; None = there is none."""
    previous: str
    """Its root; '' = there is none."""
    leaves: int
    """How many entries."""
    sums: dict[str, ChainSums]
    """By currency."""
    link: str
    """What the last leaf's link is."""
    root: str
    closed_at: datetime
    """Said by the way: not part of the root."""


class ChainPutBack(Struct, frozen=True, kw_only=True, tag_field="type", tag="spendmeter.chain.put_back.v1"):
    """Somebody says that the book was put back to an earlier state, by a backup: days after `stands_through`
    that earlier epochs closed are of a book that is lost."""

    epoch: int
    """The one that begins."""
    stands_through: date | None
    """The last day that stands as it was; None = none does."""
    began_at: datetime
    by: str
    reason: str


ChainRecord: TypeAlias = ChainDay | ChainPutBack


def canonical_values(values: Iterable[CanonicalValue]) -> bytes:
    """These values in their one spelling, each with its length."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"-,")
            continue
        text = _spelt(value).encode()
        parts.append(b"%d:%b," % (len(text), text))
    return b"".join(parts)


def leaf(entry: Iterable[CanonicalValue]) -> bytes:
    """The bytes that stand for an entry, whose values are those of LEAF_COLUMNS."""
    return LEAF_HEAD + canonical_values(entry)


def next_link(link: bytes, leaf_bytes: bytes) -> bytes:
    """BLAKE2b-256 over the link before and the leaf. Entries of a day come in the order of (recorded_at,
    origin_partition, origin_offset, identity, seq)."""
    return blake2b(link + leaf_bytes, digest_size=32).digest()


def root_of(day: ChainDay) -> str:
    """BLAKE2b-256, in hexadecimal, over all that a day says but `root` and `closed_at`; a first day's
    `previous` is NULL."""
    sums = [
        value
        for currency, each in sorted(day.sums.items())
        for value in (currency, each.list, each.contracted, each.effective)
    ]
    head = (day.tenant, day.epoch, day.day, day.previous_day, day.previous or None, day.leaves, day.link)
    return blake2b(ROOT_HEAD + canonical_values((*head, *sums)), digest_size=32).hexdigest()


def chain_sums(sums: Mapping[str, tuple[Decimal, Decimal, Decimal]]) -> dict[str, ChainSums]:
    """Sums as they are told."""
    return {
        currency: ChainSums(list=plain(listed), contracted=plain(contracted), effective=plain(effective))
        for currency, (listed, contracted, effective) in sorted(sums.items())
    }


def encode_chain(record: ChainRecord) -> bytes:
    """As it lies on the topic."""
    return msgspec.json.encode(record, order="deterministic")


def decode_chain(value: bytes) -> ChainRecord:
    """Raises msgspec's errors."""
    return msgspec.json.decode(value, type=ChainDay | ChainPutBack)


def _spelt(value: str | bytes | int | Decimal | date | datetime) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return str((value - _EPOCH) // _MICROSECOND)
    return value.isoformat() if isinstance(value, date) else str(value)
