"""The one way to read what a tenant spent: which rollups answer a question, as the book stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.book.cover import MINUTE, AnySize, Marks, Piece, cover
from spendmeter.book.sizes import SIZES, Size
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("reading.sql"))


class Coverage(NamedTuple):
    """The arguments of the SQL function `spent`: a tenant, and the pieces of its time, column by column."""

    tenant: str
    sizes: Sequence[AnySize]
    since: Sequence[datetime]
    until: Sequence[datetime]

    def pieces(self) -> Iterable[Piece]:
        """In order."""
        return map(Piece, self.sizes, self.since, self.until)

    def only(self, pieces: Sequence[Piece]) -> Coverage:
        """These pieces of the tenant's time."""
        return _coverage(self.tenant, pieces)

    def within(self, start: datetime, end: datetime) -> Coverage:
        """The part of it in [start, end), which are two of its edges."""
        pieces = [
            Piece(size, max(since, start), min(until, end))
            for size, since, until in self.pieces()
            if since < end and until > start
        ]
        return _coverage(self.tenant, pieces)


def minutes_of(tenant: str, start: datetime, end: datetime) -> Coverage:
    """What to read for each minute of [start, end), whatever larger rollups there are."""
    return Coverage(tenant, ["minute"], [start], [end])


async def hold_minutes(connection: Any) -> None:
    """First in a REPEATABLE READ transaction that asks `spent_in`: until it ends no minutes are dropped that
    its snapshot, which begins after this, says are there."""
    await connection.execute(SQL["hold_minutes"])


@asynccontextmanager
async def one_instant(pool: Any) -> AsyncIterator[Any]:
    """A connection of `pool` that sees one instant of the book, in which no minutes are dropped: what
    `spent_in` asks for."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await hold_minutes(connection)
        yield connection


async def spent_in(connection: Any, tenant: str, edges: Sequence[datetime], timeline: Timeline) -> Coverage:
    """What to read for [edges[0], edges[-1]), whole minutes, so that no bucket lies on both sides of an edge.

    It holds for the snapshot in which it is asked: ask, and read, in one REPEATABLE READ transaction that
    begins with `hold_minutes`. Raises MinutesDropped where hours are too coarse for these edges and there is
    nothing finer."""
    touched: defaultdict[Size, list[datetime]] = defaultdict(list)
    kept_since = None
    for size, bucket in await connection.fetch(SQL["standing"], tenant, edges[0], edges[-1]):
        if size is None:
            kept_since = bucket
        else:
            touched[size].append(bucket)
    return _coverage(tenant, cover(edges, timeline, Marks(touched), kept_since))


async def generations(connection: Any, tenant: str, pieces: Sequence[Piece]) -> Generations:
    """How often the rollups of these pieces have changed, in the snapshot of `connection`."""
    larger = [piece for piece in pieces if piece.size in SIZES]
    minutes = [piece.start for piece in pieces if _is_minute(piece)]
    by_day, by_minute = {}, {}
    if larger:
        days = _days(larger[0].start, larger[-1].end)
        rows = await connection.fetch(SQL["rolled"], tenant, days[0], days[-1])
        by_day = {row["day"]: row["generation"] for row in rows}
    if minutes:
        rows = await connection.fetch(SQL["minute_versions"], tenant, minutes)
        by_minute = {row["minute"]: row["version"] for row in rows}
    return Generations(by_day, by_minute)


@dataclass(frozen=True)
class Generations:
    """Two readings of one piece in which it has the same number read the same."""

    by_day: Mapping[date, int]
    by_minute: Mapping[datetime, int]

    def of(self, piece: Piece) -> int | None:
        """It only grows: so do all that it is the sum of. None = of several minutes, and of an hour in which
        something late waits, nobody asks."""
        if piece.size in SIZES:
            return sum(self.by_day.get(day, 0) for day in _days(piece.start, piece.end))
        return self.by_minute.get(piece.start, 0) if _is_minute(piece) else None


class _ForGood(Generations):
    """Nothing of it changes any more."""

    def of(self, piece: Piece) -> int:
        return 0


FOR_GOOD = _ForGood({}, {})
"""Of pieces as they stood at a moment."""


def _is_minute(piece: Piece) -> bool:
    return piece.size == "minute" and piece.end - piece.start == MINUTE


def _days(start: datetime, end: datetime) -> list[date]:
    """In which [start, end) lies, in UTC."""
    first, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _coverage(tenant: str, pieces: Sequence[Piece]) -> Coverage:
    return Coverage(
        tenant,
        [piece.size for piece in pieces],
        [piece.start for piece in pieces],
        [piece.end for piece in pieces],
    )
