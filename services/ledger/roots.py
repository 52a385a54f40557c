"""What `ledger.roots` says, held against what the book says. Pure.

What the topic has and the book has not yet is ahead: a restored backup closes such a day again, mostly to the
same root. Where it comes to another, the book is another than the one that was closed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from spendmeter.contracts.chain import ChainDay, ChainPutBack, ChainRecord, decode_chain

NAMED_MAX = 3
DayKey = tuple[str, date]
"""A tenant and a day."""
PlacedRecord = tuple[int, ChainRecord | None]
"""An offset and what lies there; None = no record of a chain."""


def placed(records: Iterable[tuple[int, bytes | None]]) -> list[PlacedRecord]:
    """Records of the topic, read."""
    return [(offset, _read(value)) for offset, value in records]


def days_of(records: Iterable[PlacedRecord]) -> list[DayKey]:
    """The days that these speak of."""
    return [(each.tenant, each.day) for _, each in records if isinstance(each, ChainDay)]


def is_lost(said: ChainDay, put_backs: Iterable[ChainPutBack]) -> bool:
    """Whether it is of a book that was put back since to a state before it."""
    return any(
        each.epoch > said.epoch and (each.stands_through is None or said.day > each.stands_through)
        for each in put_backs
    )


@dataclass(kw_only=True)
class Roots:
    """What is known of the topic from some offset on."""

    put_backs: Sequence[ChainPutBack]
    closed_through: date | None
    ahead: dict[DayKey, str] = field(default_factory=dict)
    """Roots of days that the book has not closed."""
    epoch: int = 1
    """The latest that the topic speaks of."""
    contradictions: list[str] = field(default_factory=list)
    agrees_before: int | None = None
    """The first offset of which the book does not say the same; None = there is none."""

    def judge(self, records: Iterable[PlacedRecord], known: Mapping[DayKey, str]) -> None:
        """Go on with the next records; `known` are the book's roots of the days that they speak of."""
        for offset, said in records:
            if not self._agrees(offset, said, known) and self.agrees_before is None:
                self.agrees_before = offset

    def contradicting(self, day: date, roots: Mapping[str, str]) -> list[str]:
        """What of the topic a book contradicts that closes `day` as its last, its tenants with `roots`."""
        return [
            f"{tenant} {of_day}"
            for (tenant, of_day), root in self.ahead.items()
            if of_day < day or (of_day == day and roots.get(tenant) != root)
        ]

    def settle(self, day: date) -> None:
        """The book has closed up to `day`, to what the topic says."""
        self.ahead = {key: root for key, root in self.ahead.items() if key[1] > day}

    def _agrees(self, offset: int, said: ChainRecord | None, known: Mapping[DayKey, str]) -> bool:
        if said is None:
            self.contradictions.append(f"offset {offset}, which is no root")
            return False
        self.epoch = max(self.epoch, said.epoch)
        if isinstance(said, ChainPutBack):
            if said in self.put_backs or any(each.epoch > said.epoch for each in self.put_backs):
                return True
            self.contradictions.append(f"epoch {said.epoch}, of which the book does not know")
            return False
        if is_lost(said, self.put_backs):
            return True
        root = known.get((said.tenant, said.day))
        if root is None and (self.closed_through is None or said.day > self.closed_through):
            self.ahead[said.tenant, said.day] = said.root
            return False
        if root != said.root:
            self.contradictions.append(f"{said.tenant} {said.day}")
            return False
        return True


def named(contradictions: Sequence[str]) -> str:
    """The first of them, and how many more; '' = none."""
    more = len(contradictions) - NAMED_MAX
    return ", ".join(contradictions[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _read(value: bytes | None) -> ChainRecord | None:
    try:
        return decode_chain(value or b"")
    except msgspec.MsgspecError:
        return None
