"""A job's way through the book: entries in the order of their key, in the minutes that rollups name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.corrector.in_force import EntryInForce
from services.corrector.job_work import SQL, JobWork
from services.corrector.minutes import Minutes, NamedTime
from spendmeter.contracts.corrections import Selection

CHUNK_ENTRIES = 2_000
"""Read, priced and written at once: people's corrections wait so long."""
READ_IN_ORDER = {"enable_bitmapscan": "off", "enable_sort": "off", "enable_hashjoin": "off"}
"""What whoever reads chunks asks of Postgres: entries in the order of their index, some at a time. It knows
little of what came lately, and may think it better to fetch all that are left, and to sort them, with every
chunk."""
TIME_MAX = timedelta(days=1)
"""Looked through at once, in all: in it lie the entries of other tenants, too."""
CHUNK_BYTES = 8 * 1024 * 1024
"""Of their events and lines, and one more: two chunks are held at once."""
_KNOWN_BY_ROLLUPS = {"unpriced", "provisional"}
"""The statuses that rollups tell from others."""

Cursor = tuple[datetime, bytes]
"""An entry's time and identity: what comes after it is next."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Entries in force, and where the next chunk begins."""

    entries: Sequence[EntryInForce]
    cursor: Cursor
    is_last: bool


async def next_chunk(connection: Any, job: Any, work: JobWork) -> Chunk:
    """The next of the pass in a row of `running`."""
    series = await work.series(connection)
    cursor: Cursor = (job["cursor_at"] or job["since"], job["cursor_identity"] or b"")
    if cursor[0] >= job["until"]:
        return Chunk(entries=(), cursor=cursor, is_last=True)
    first = cursor[0].replace(second=0, microsecond=0)
    planned = await work.minutes.since(
        connection,
        first,
        tenant=work.tenant,
        until=job["until"],
        series=series,
        unknown_alone=_unknown_alone(work.selection),
    )
    minutes = list(_enough(planned, cursor[0]))
    if not minutes:
        return Chunk(entries=(), cursor=cursor, is_last=True)
    stretches = _stretches(minutes, max(cursor[0], job["since"]), job["until"])
    columns = map(list, zip(*stretches, strict=True))
    selected = work.tenant, series, work.version, *columns, *cursor, CHUNK_ENTRIES, CHUNK_BYTES
    read = await read_entries(connection, SQL["entries"], *selected)
    entries = read if series is not None else await work.selected(connection, read)
    if len(read) == CHUNK_ENTRIES or sum(map(_size, read)) >= CHUNK_BYTES:
        return Chunk(entries=entries, cursor=(read[-1].occurred_at, read[-1].identity), is_last=False)
    return Chunk(entries=entries, cursor=(stretches[-1][1], b""), is_last=False)


def _unknown_alone(selection: Selection) -> bool:
    statuses = set(selection.statuses)
    return bool(statuses and statuses <= _KNOWN_BY_ROLLUPS) or bool(selection.missing_rate_of)


def _size(entry: EntryInForce) -> int:
    """In bytes, as the statement `entries` counts them."""
    return len(entry.event.encode()) + len(entry.lines.encode())


async def read_entries(connection: Any, statement: str, *values: Any) -> list[EntryInForce]:
    """The entries in force that a statement of `rerates.sql` selects."""
    return [EntryInForce(**row) for row in await connection.fetch(statement, *values)]


def _enough(planned: Minutes, cursor: datetime) -> Iterable[NamedTime]:
    """The first of them, until they hold a chunk, or TIME_MAX: others' entries lie in it too. Of the one in
    which the cursor stands nobody knows how much is left."""
    events, time = 0, timedelta()
    for named in planned:
        if events >= CHUNK_ENTRIES or time >= TIME_MAX:
            return
        yield named
        time += named.end - named.start
        events += named.events if named.start >= cursor else 0


def _stretches(
    named: Sequence[NamedTime], since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Their time from `since` to `until`, what touches or overlaps as one, so that no entry is in two."""
    found: list[tuple[datetime, datetime]] = []
    for each in named:
        start, end = max(each.start, since), min(each.end, until)
        if found and found[-1][1] >= start:
            start, before = found.pop()
            end = max(end, before)
        if start < end:
            found.append((start, end))
    return found
