"""Which rollups answer a question: the largest that are whole and up to date. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from spendmeter.book.sizes import SIZES, BucketSpan, Size, bucket_at
from spendmeter.contracts.terms import Timeline

MINUTE = timedelta(minutes=1)

AnySize = Size | Literal["minute", "late_hour", "booked"]
"""late_hour: an hour from before minutes begin, in which something late waits to be rolled up. What was
dropped is read of the hour, what is late of its minutes. booked: entries, as far as a moment has them
(`as_of.py`)."""


class Piece(NamedTuple):
    """Read the rollups of `size` whose buckets begin in [start, end)."""

    size: AnySize
    start: datetime
    end: datetime


class MinutesDropped(ValueError):
    """What is asked needs minutes, or five minutes, from before `kept_since`: there are hours and days, and
    `edge` lies within `hour`."""

    def __init__(self, kept_since: datetime, edge: datetime, hour: BucketSpan) -> None:
        super().__init__(f"finer than by hour there is nothing from before {kept_since:%Y-%m-%d %H:%MZ}")
        self.kept_since, self.edge, self.hour = kept_since, edge, hour


class Marks:
    """The buckets that have changed since they were made: `Marks({"hour": [start, ...]})`."""

    def __init__(self, starts: Mapping[Size, Iterable[datetime]]) -> None:
        self._starts = {size: sorted(starts.get(size, ())) for size in SIZES}

    def concerns(self, size: Size, bucket: BucketSpan) -> bool:
        """Whether a bucket is to be made anew: itself, or one of those that it is made of."""
        parts = SIZES[: SIZES.index(size) + 1]
        return any(self._lies_in(self._starts[part], bucket) for part in parts)

    def _lies_in(self, starts: Sequence[datetime], bucket: BucketSpan) -> bool:
        place = bisect_left(starts, bucket.start)
        return place < len(starts) and starts[place] < bucket.end


def cover(
    edges: Sequence[datetime], timeline: Timeline, touched: Marks, kept_since: datetime | None = None
) -> list[Piece]:
    """Pieces that together are [edges[0], edges[-1]), whole minutes, in order; none of them holds a bucket
    that lies on both sides of an edge. Minutes are there from `kept_since` (None = all are): raises
    MinutesDropped where an edge before lies within an hour."""
    pieces: list[Piece] = []
    for start, end in pairwise(edges):
        for piece in _cover(start, end, timeline, touched, kept_since):
            if pieces and (pieces[-1].size, pieces[-1].end) == (piece.size, piece.start):
                piece = Piece(piece.size, pieces.pop().start, piece.end)
            pieces.append(piece)
    return pieces


def cut(pieces: Iterable[Piece], edges: Sequence[datetime]) -> Sequence[tuple[int, Piece]]:
    """Each part of a piece that lies between two neighbouring edges, with the place of these, from 1."""
    parts = []
    for size, start, end in pieces:
        place = bisect_right(edges, start)
        while start < end:
            until = min(end, edges[place])
            parts.append((place, Piece(size, start, until)))
            start, place = until, place + 1
    return parts


def in_minutes(parts: Sequence[tuple[int, Piece]], most: int) -> Sequence[tuple[int, Piece]]:
    """Each minute a piece of its own; where these are more than `most`, the parts as they are."""
    minutes = sum((piece.end - piece.start) // MINUTE for _, piece in parts if piece.size == "minute")
    return parts if minutes > most else [each for part in parts for each in _in_minutes(*part)]


def _in_minutes(place: int, piece: Piece) -> Iterator[tuple[int, Piece]]:
    start, step = piece.start, MINUTE if piece.size == "minute" else piece.end - piece.start
    while start < piece.end:
        yield place, Piece(piece.size, start, start + step)
        start += step


def _cover(
    start: datetime, end: datetime, timeline: Timeline, touched: Marks, kept_since: datetime | None
) -> Iterator[Piece]:
    while start < end:
        dropped = kept_since if kept_since is not None and start < kept_since else None
        for size in reversed(SIZES[1:] if dropped else SIZES):
            bucket = bucket_at(size, start, timeline)
            if bucket.start == start and bucket.end <= end and not touched.concerns(size, bucket):
                yield Piece(size, *bucket)
                start = bucket.end
                break
        else:
            piece = _late_hour(start, end, timeline, dropped) if dropped else _finest(start, end, timeline)
            yield piece
            start = piece.end


def _finest(start: datetime, end: datetime, timeline: Timeline) -> Piece:
    return Piece("minute", start, min(bucket_at(SIZES[0], start, timeline).end, end))


def _late_hour(start: datetime, end: datetime, timeline: Timeline, kept_since: datetime) -> Piece:
    hour = bucket_at("hour", start, timeline)
    if hour.start != start or hour.end > end:
        raise MinutesDropped(kept_since, start if start > hour.start else end, hour)
    return Piece("late_hour", *hour)
