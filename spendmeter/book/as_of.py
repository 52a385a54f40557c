"""What was spent as the book stood at a moment: which pieces answer a question then.

Up to the moment's edge, the start of its quarter of an hour, today's rollups are read, without what was
recorded since. From there on it is the entries that were in the book. The SQL function `spent_as_of` does
both, in a transaction that has read its moment (docs/decisions/as-of.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.book.cover import MinutesDropped, Piece
from spendmeter.book.reading import Coverage, spent_in
from spendmeter.book.units import UNIT_COLUMNS
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("as_of.sql"))
NOW = {"spent": "spent", "anything": "true", "any_quantity": "true"}
THEN = {
    "spent": "spent_as_of",
    "anything": " OR ".join(
        f"sum({name}) <> 0"
        for name in ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")
    ),
    "any_quantity": "sum(quantity) <> 0",
    "unit_sums": ", ".join(f"nullif(sum({unit}), 0) AS {unit}" for unit in UNIT_COLUMNS),
}
"""What statements say of sums in either case, by what stands for it in braces (`load_sql`). Then what was
recorded since is taken away: what comes to nothing was not there, or came to nothing."""
QUARTER = timedelta(minutes=15)
ENTRIES_MAX = 20_000
"""Read one by one in one answer: of more, the ends of quarters of an hour alone are told."""
EARLY = timedelta(hours=1)
"""So long before it happens an event may be booked: the door lets clocks be as fast."""
UNPROVED_MAX = timedelta(seconds=60)
"""So far beyond what is proved somebody may ask, and is answered of the last that is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """An instant at which it is known what was in the book, and the next one of these."""

    at: datetime
    next_at: datetime | None

    @property
    def quarter_end(self) -> datetime:
        """Where the quarter of an hour (UTC) that it lies in ends."""
        return self.at - (self.at - _EPOCH) % QUARTER + QUARTER

    @property
    def edge(self) -> datetime:
        """Up to here rollups answer: the last moment of its quarter holds all that was recorded in time in
        it, so of none of it is anything to be read by entries."""
        end = self.quarter_end
        return end if self.next_at is not None and self.next_at >= end else end - QUARTER


class StoodAt(NamedTuple):
    """What an answer is of: the moment, and the instant that it stands for, which is the one that was asked
    for or, where that is not proved yet, the last one that is. `proved_until`: so far the book is proved."""

    moment: Moment
    at: datetime
    proved_until: datetime


class NotRemembered(ValueError):
    """Of this instant it is not known what was in the book: it is from `since` to `until`; None = of none."""

    def __init__(self, since: datetime | None, until: datetime | None) -> None:
        super().__init__(f"moments of the book are known from {since} to {until}")
        self.since, self.until = since, until


class NotProved(ValueError):
    """It lies over UNPROVED_MAX after `until`, up to where the book is proved; None = nothing is."""

    def __init__(self, until: datetime | None) -> None:
        super().__init__(f"the book is proved until {until}")
        self.until = until


class EntriesUnread(ValueError):
    """Entries would have to be read that are not: `why`. At the start and at `end` of the quarter of an hour
    none would."""

    def __init__(self, why: str, end: datetime) -> None:
        super().__init__(f"up to {end}: {why}")
        self.why, self.start, self.end = why, end - QUARTER, end


async def read_moment(connection: Any, as_of: datetime, *, grain: timedelta | None = None) -> StoodAt:
    """What tells of `as_of`: the last moment up to it that is proved, of which `spent_as_of` tells for the
    rest of the transaction: REPEATABLE READ, as `spent_in` asks for. `grain`: the proved mark is taken for no
    finer than that. Raises NotRemembered, and NotProved."""
    since, until, proved = await connection.fetchrow(SQL["remembered"])
    if since is None or not since <= as_of <= until:
        raise NotRemembered(since, until)
    if proved is not None and grain is not None:
        proved -= (proved - _EPOCH) % grain
    if proved is None or proved < since or as_of - proved > UNPROVED_MAX:
        raise NotProved(proved)
    at = min(as_of, proved)
    row = await connection.fetchrow(SQL["moment"], at)
    return StoodAt(Moment(row["at"], row["next_at"]), at, proved)


async def spent_at(
    connection: Any, tenant: str, edges: Sequence[datetime], timeline: Timeline, moment: Moment
) -> Coverage:
    """As `spent_in`, for `spent_as_of`: what is to be read for [edges[0], edges[-1]) as it stood. Raises
    MinutesDropped, and EntriesUnread."""
    edge = min(max(moment.edge, edges[0]), edges[-1])
    covered = await _rolled_up(connection, tenant, edges, timeline, edge)
    reached = covered[-1].end if covered else edge
    entries_until = max(reached, min(moment.quarter_end, edges[-1]))
    if entries_until > edge:
        row = await connection.fetchrow(SQL["to_read"], tenant, edge, entries_until, ENTRIES_MAX)
        if why := _unread(edge, **row):
            raise EntriesUnread(why, moment.quarter_end)
    rest = [reached, *(each for each in edges if each > reached)]
    booked = [Piece("booked", start, end) for start, end in pairwise(rest)]
    pieces = [*covered, *booked]
    return Coverage(tenant, *map(list, zip(*pieces, strict=True)))


def _unread(edge: datetime, *, count: int, kept_from: date, since: datetime) -> str:
    """Why what was booked around `edge` is not to be read; '' = it is."""
    month = max(edge - EARLY, since).astimezone(UTC).date().replace(day=1)
    if month < kept_from:
        return (
            f"events that were booked in {month:%Y-%m}, which is archived (the database's owner attaches it: "
            f"spendmeter archive attach {month:%Y-%m})"
        )
    return f"over {ENTRIES_MAX:,} events" if count > ENTRIES_MAX else ""


async def _rolled_up(
    connection: Any, tenant: str, edges: Sequence[datetime], timeline: Timeline, edge: datetime
) -> list[Piece]:
    """Rollups up to `edge`; where it lies within an hour that is all there is of its time, up to its end."""
    before = [each for each in edges if each < edge]
    if not before:
        return []
    try:
        covered = await spent_in(connection, tenant, [*before, edge], timeline)
    except MinutesDropped as dropped:
        end = min(dropped.hour.end, edges[-1])
        if dropped.edge != edge or edge in edges or any(edge < each < end for each in edges):
            raise
        covered = await spent_in(connection, tenant, [*before, end], timeline)
    return list(covered.pieces())
