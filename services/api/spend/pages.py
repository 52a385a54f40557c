"""Rows of totals and of series, and which of them a page has. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.api.spend.closed import GroupSum


@dataclass(frozen=True, kw_only=True)
class GroupTotal:
    """One row: a group of one currency, or (place None) all the groups of that currency that the page does
    not name, of which there are `others`. `has_rest` = some of its quantities are of units without a column,
    and are not there yet."""

    currency: str
    place: int | None
    others: int
    group: Mapping[str, str | None]
    spent: GroupSum
    has_rest: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of a series: every bucket has one for every total, in their order. This page is of the buckets
    `first` to `last` (from 1), beginning with row `row` of the first."""

    first: int
    last: int
    row: int
    rows_max: int

    def cells(self, totals: Sequence[GroupTotal]) -> list[tuple[int, GroupTotal]]:
        """Bucket and total of each row."""
        every = [(n, each) for n in range(self.first, self.last + 1) for each in totals]
        return every[self.row : self.row + self.rows_max]


def page_of(
    totals: Sequence[GroupTotal],
    edges: Sequence[datetime],
    place: tuple[int, int],
    rows_max: int,
    now: datetime,
) -> tuple[Page, tuple[int, int] | None]:
    """The page that begins at `place` = (bucket, row), and where the next one does (None = it was the last).

    A bucket that has not begun has rows only when something in it, or after it, was spent: what is to come is
    unknown, not 0. A page ends with a bucket where it has room for one: what groups there are may have
    changed by the next page, and within a bucket a row would be told twice, or not at all.
    """
    a_bucket = max(1, len(totals))
    first, row = place[0] + place[1] // a_bucket, place[1] % a_bucket
    started = bisect_right(edges, now, hi=len(edges) - 1)
    spent = max((bisect_right(edges, each.spent.last_minute) for each in totals), default=0)
    buckets = max(started, spent)
    if row + rows_max >= a_bucket:
        rows_max -= (row + rows_max) % a_bucket
    beyond = (first - 1) * a_bucket + row + rows_max
    page = Page(first=first, last=min(buckets, (beyond - 1) // a_bucket + 1), row=row, rows_max=rows_max)
    if beyond >= buckets * a_bucket:
        return page, None
    return page, (beyond // a_bucket + 1, beyond % a_bucket)
