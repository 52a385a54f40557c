"""Rows of the book in the order of the topic, a bounded number ahead, and the series that they name."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from spendmeter.verify.sql import SQL
from spendmeter.verify.usage import decode

ROWS_AT_ONCE = 2_000
"""Rows fetched from Postgres at once, about 1.5 kB each."""
SERIES_CACHED_MAX = 20_000
"""Series remembered, about 1 kB each; when there are more, it begins anew."""


class BookedEntry(NamedTuple):
    """A booked row; amounts as Postgres writes them."""

    identity: bytes
    seq: int
    occurred_at: datetime
    origin_partition: int
    origin_offset: int
    tenant: str
    series_id: bytes
    status: str
    currency: str
    list: str
    contracted: str
    effective: str
    event: str
    lines: str
    accounting_period: date
    late_version: int | None = None
    """The publication that its rater lagged behind with, where the book lists it so."""
    recorded_at: datetime | None = None


class SetAside(NamedTuple):
    """An offset that was not booked; `won_*` is the entry of the same identity, where there is one."""

    origin_topic: str
    origin_partition: int
    origin_offset: int
    outcome: str
    tenant: str
    identity: bytes | None
    source: str
    event_id: str
    won_partition: int | None
    won_offset: int | None
    won_event: str | None
    amended: Sequence[str] = ()
    """What corrections made of it."""
    retracted: bool = False
    """It was by the time that this was set aside."""
    is_put_away: bool = False
    """That entry lies in a month that is no part of the book."""


Placed = TypeVar("Placed", BookedEntry, SetAside)


class Rows(Generic[Placed]):
    """The rows of a cursor that is ordered by (origin_partition, origin_offset)."""

    def __init__(self, cursor: Any, make: Callable[[Any], Placed]) -> None:
        self._cursor = cursor
        self._make: Callable[[Any], Placed] = make
        self._rows: list[Placed] = []
        self._at = 0

    async def take(self, partition: int, end: int) -> list[Placed]:
        """All rows not yet taken that lie before `end` of `partition`, earlier partitions included."""
        taken: list[Placed] = []
        while some := await self.take_some(partition, end):
            taken += some
        return taken

    async def take_some(self, partition: int, end: int) -> list[Placed]:
        """As `take`, but at most ROWS_AT_ONCE; none = there are no more."""
        if self._at == len(self._rows):
            self._rows = [self._make(row) for row in await self._cursor.fetch(ROWS_AT_ONCE)]
            self._at = 0
        upto = bisect_left(self._rows, (partition, end), lo=self._at, key=_place)
        some, self._at = self._rows[self._at : upto], upto
        return some


def _place(row: BookedEntry | SetAside) -> tuple[int, int]:
    return row.origin_partition, row.origin_offset


class KnownSeries:
    """What each series stands for, asked for when it is met."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.known: dict[tuple[str, bytes], tuple[str, ...]] = {}

    async def learn(self, rows: Iterable[BookedEntry]) -> None:
        """Know the series of these entries, as far as the book has them."""
        wanted = {(row.tenant, row.series_id) for row in rows}
        new = list(wanted - self.known.keys())
        if not new:
            return
        if len(self.known) + len(new) > SERIES_CACHED_MAX:
            self.known.clear()
            new = list(wanted)
        tenants, ids = [tenant for tenant, _ in new], [series_id for _, series_id in new]
        for tenant, series_id, *dimensions, own in await self._connection.fetch(SQL["series"], tenants, ids):
            self.known[tenant, series_id] = (*dimensions, *map("=".join, sorted(decode(own).items())))
