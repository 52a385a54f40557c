"""The one way to read what a tenant spent: which rollups answer a question, as the book stands."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.book.cover import Touched, cover
from spendmeter.book.sizes import Size
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("reading.sql"))


class Spent(NamedTuple):
    """The arguments of the SQL function `spent`: a tenant, and the pieces of its time, column by column."""

    tenant: str
    sizes: Sequence[str]
    since: Sequence[datetime]
    until: Sequence[datetime]

    def within(self, start: datetime, end: datetime) -> "Spent":
        """The part of it in [start, end), which are two of its edges."""
        pieces = [
            (size, max(since, start), min(until, end))
            for size, since, until in zip(self.sizes, self.since, self.until, strict=True)
            if since < end and until > start
        ]
        return Spent(self.tenant, *([piece[n] for piece in pieces] for n in range(3)))


def minutes_of(tenant: str, start: datetime, end: datetime) -> Spent:
    """What to read for each minute of [start, end), whatever larger rollups there are."""
    return Spent(tenant, ["minute"], [start], [end])


async def spent_in(connection: Any, tenant: str, edges: Sequence[datetime], timeline: Timeline) -> Spent:
    """What to read for [edges[0], edges[-1]), whole minutes, so that no bucket lies on both sides of an edge.

    It holds for the snapshot in which it is asked: ask, and read, in one REPEATABLE READ transaction."""
    touched: defaultdict[Size, list[datetime]] = defaultdict(list)
    for row in await connection.fetch(SQL["touched"], tenant, edges[0], edges[-1]):
        touched[row["size"]].append(row["bucket"])
    pieces = cover(edges, timeline, Touched(touched))
    return Spent(
        tenant,
        [piece.size for piece in pieces],
        [piece.start for piece in pieces],
        [piece.end for piece in pieces],
    )
