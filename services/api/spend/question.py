"""What is asked of spend, checked, and the cursor of a page of its answer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.http.problems import invalid
from spendmeter.book.as_of import Moment
from spendmeter.book.reading import Coverage
from spendmeter.contracts.events import Instant

Measure = Literal["list", "contracted", "effective"]
Filters = Mapping[str, Sequence[str]]
"""Dimension to the values of which an event must have one."""

SERIES_ROWS_MAX = 5_000
SKIP_MAX = 10**8
"""Groups of a currency that pages can go through: more than any tenant has."""


class SpendCursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a page begins: of which question and span, after which groups, at which row of the series."""

    question: str
    start: Instant
    end: Instant
    skip: Annotated[int, msgspec.Meta(ge=0, le=SKIP_MAX)] = 0
    bucket: Annotated[int, msgspec.Meta(ge=1, le=SERIES_ROWS_MAX)] = 1
    row: Annotated[int, msgspec.Meta(ge=0, le=SKIP_MAX)] = 0
    stood_at: Instant | None = None
    """As the book stood when, for what is proved moves on between pages; None = as it stands."""

    def at(self, **where: int) -> str:
        """The same for another page, as a caller is given it."""
        return encode_cursor(msgspec.structs.replace(self, **where))


def read_spend_cursor(text: str, question: str) -> SpendCursor:
    """Raises HttpRefusal (422) for one that was given for another question."""
    cursor = decode_cursor(text, SpendCursor)
    if cursor.question != question:
        raise invalid("cursor", "belongs to another question: repeat the one that it was given for")
    return cursor


@dataclass(frozen=True, kw_only=True)
class SpendQuestion:
    """The sums of [cursor.start, cursor.end) in UTC, by `group_by`. Of each currency `top` groups are named,
    after the first `cursor.skip`; `edges` are the starts of the buckets and the end of the last, and `spent`
    is what to read for them."""

    cursor: SpendCursor
    spent: Coverage
    zone: ZoneInfo
    group_by: Sequence[str]
    filters: Filters
    measure: Measure
    top: int
    edges: Sequence[datetime]
    with_series: bool
    with_usage: bool
    now: datetime
    team: str
    """Of whoever asks and sees no other; '' = all. What was summed up for one is nobody else's."""
    moment: Moment | None = None
    """As the book stood then: the transaction tells of it, and `spent` is its pieces. None = as it stands."""

    @property
    def spans(self) -> list[datetime]:
        """The edges, cut to the range."""
        return [self.cursor.start, *self.edges[1:-1], self.cursor.end]

    @property
    def until(self) -> datetime:
        """As far as the span has gone: the minute that is open now is in it."""
        gone = self.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return min(self.cursor.end, gone) if gone > self.cursor.start else self.cursor.end

    @property
    def grouping(self) -> tuple[Any, ...]:
        """For whom and by what it sums up, and what of all, as it stood when: the same for every span."""
        filters = tuple(sorted((name, tuple(values)) for name, values in self.filters.items()))
        return self.team, tuple(self.group_by), filters, self.moment and self.moment.at

    def parameters(self, spent: Coverage | None = None) -> list[Any]:
        """The first six of every statement but `series`; `spent`: of a part of the span."""
        return [self.filters, *(spent or self.spent), list(self.group_by)]
