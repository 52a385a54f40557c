"""The sizes of rollups above the minute: five minutes, and hours and days of the tenant's calendar. Pure.

Each bucket lies whole within one of the next size, whatever the zone and its changes of the clock.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from spendmeter.contracts.terms import Timeline

Size = Literal["five_minutes", "hour", "day"]
SIZES: tuple[Size, ...] = get_args(Size)
"""From small to large: each is made of the one before, the first of minutes."""

_FIVE_MINUTES = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BucketSpan(NamedTuple):
    """[start, end) in UTC."""

    start: datetime
    end: datetime


def bucket_at(size: Size, at: datetime, timeline: Timeline) -> BucketSpan:
    """The bucket of a size that holds an instant."""
    if size == "five_minutes":
        start = five_minutes_of(at)
        return BucketSpan(start, start + _FIVE_MINUTES)
    start, end = timeline.bounds("day", at)
    if size == "day":
        return BucketSpan(start, end)
    edges = hours_of(start, end, timeline.stretch(start).terms.zone)
    place = bisect_right(edges, at)
    return BucketSpan(edges[place - 1], edges[place])


def five_minutes_of(at: datetime) -> datetime:
    """The start of the five minutes that hold an instant: the same in every calendar."""
    return at - (at - _EPOCH) % _FIVE_MINUTES


def hours_between(start: datetime, end: datetime, timeline: Timeline) -> list[datetime]:
    """The starts of the hours that begin in [start, end): a move, or a clock that jumps by half an hour, puts
    them on another minute of the hour."""
    found: list[datetime] = []
    at = start
    while at < end:
        day = BucketSpan(*timeline.bounds("day", at))
        found += hours_of(*day, timeline.stretch(day.start).terms.zone)[:-1]
        at = day.end
    return [hour for hour in found if start <= hour < end]


@lru_cache(maxsize=4096)
def hours_of(start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """The starts of the hours of a local day and the end of the last: full by the clock on the wall, so
    shorter where that jumps by half an hour, or where the day begins or ends between two full hours."""
    edges = [start]
    while edges[-1] < end:
        minutes = 60 - edges[-1].astimezone(zone).minute
        edges.append(min(edges[-1] + timedelta(minutes=minutes), end))
    return edges
