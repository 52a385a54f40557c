"""What of the book is folded next, and by which projections. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class BookAccount:
    """A partition of the book, for as long as its offsets counted on: until its topic was created anew."""

    partition: int
    account: int
    begun_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class ProjectionMark(BookAccount):
    """Where a projection stands in an account, and where the book does."""

    projection: str
    next_offset: int
    book_offset: int

    @property
    def behind(self) -> int:
        """Offsets of the book that it has not folded."""
        return self.book_offset - self.next_offset


@dataclass(frozen=True, kw_only=True)
class BookStretch:
    """Offsets [since, until) of one account, and the projections that have come to `since`."""

    account: BookAccount
    since: int
    until: int
    projections: frozenset[str]


def next_stretches(marks: Iterable[ProjectionMark]) -> list[BookStretch]:
    """One for each account in which a projection is behind: of the hindmost, up to where they meet others,
    so that in the end all read together."""
    by_account: defaultdict[tuple[int, int], list[ProjectionMark]] = defaultdict(list)
    for mark in marks:
        by_account[mark.partition, mark.account].append(mark)
    return [
        _hindmost(marks) for _, marks in sorted(by_account.items()) if any(mark.behind > 0 for mark in marks)
    ]


def _hindmost(marks: list[ProjectionMark]) -> BookStretch:
    since = min(mark.next_offset for mark in marks)
    ahead = [mark.next_offset for mark in marks if mark.next_offset > since]
    return BookStretch(
        account=marks[0],
        since=since,
        until=min([marks[0].book_offset, *ahead]),
        projections=frozenset(mark.projection for mark in marks if mark.next_offset == since),
    )
