"""The one way to read what a tenant spent: which rollups answer a question, as the book stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.book.cover import AnySize, Marks, Piece, cover
from spendmeter.book.sizes import Size
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("reading.sql"))


class Coverage(NamedTuple):
    """The arguments of the SQL function `spent`: a tenant, and the pieces of its time, column by column."""

    tenant: str
    sizes: Sequence[AnySize]
    since: Sequence[datetime]
    until: Sequence[datetime]

    def within(self, start: datetime, end: datetime) -> Coverage:
        """The part of it in [start, end), which are two of its edges."""
        pieces = [
            Piece(size, max(since, start), min(until, end))
            for size, since, until in zip(self.sizes, self.since, self.until, strict=True)
            if since < end and until > start
        ]
        return _coverage(self.tenant, pieces)


def minutes_of(tenant: str, start: datetime, end: datetime) -> Coverage:
    """What to read for each minute of [start, end), whatever larger rollups there are."""
    return Coverage(tenant, ["minute"], [start], [end])


async def spent_in(connection: Any, tenant: str, edges: Sequence[datetime], timeline: Timeline) -> Coverage:
    """What to read for [edges[0], edges[-1]), whole minutes, so that no bucket lies on both sides of an edge.

    It holds for the snapshot in which it is asked: ask, and read, in one REPEATABLE READ transaction."""
    touched: defaultdict[Size, list[datetime]] = defaultdict(list)
    for row in await connection.fetch(SQL["touched"], tenant, edges[0], edges[-1]):
        touched[row["size"]].append(row["bucket"])
    return _coverage(tenant, cover(edges, timeline, Marks(touched)))


def _coverage(tenant: str, pieces: Sequence[Piece]) -> Coverage:
    return Coverage(
        tenant,
        [piece.size for piece in pieces],
        [piece.start for piece in pieces],
        [piece.end for piece in pieces],
    )
