"""A job's way through the book: entries in the order of their key, in the minutes that rollups name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.corrector.in_force import EntryInForce
from services.corrector.job_work import SQL, JobWork

CHUNK_ENTRIES = 2_000
"""Read, priced and written at once: people's corrections wait so long."""
CHUNK_MINUTES = 1_440
MINUTE = timedelta(minutes=1)
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
    statuses = set(work.selection.statuses)
    unknown_alone = bool(statuses and statuses <= _KNOWN_BY_ROLLUPS) or bool(work.selection.missing_rate_of)
    cursor: Cursor = (job["cursor_at"] or job["since"], job["cursor_identity"] or b"")
    since = cursor[0].replace(second=0, microsecond=0)
    rows = await connection.fetch(
        SQL["minutes"], work.tenant, since, job["until"], series, unknown_alone, CHUNK_MINUTES
    )
    minutes = list(_enough(rows))
    if not minutes or cursor[0] >= job["until"]:
        return Chunk(entries=(), cursor=cursor, is_last=True)
    stretches = _stretches(minutes, max(cursor[0], job["since"]), job["until"])
    columns = map(list, zip(*stretches, strict=True))
    selected = work.tenant, series, work.version, *columns, *cursor, CHUNK_ENTRIES
    entries = await read_entries(connection, SQL["entries"], *selected)
    if len(entries) == CHUNK_ENTRIES:
        last = entries[-1]
        return Chunk(entries=entries, cursor=(last.occurred_at, last.identity), is_last=False)
    return Chunk(entries=entries, cursor=(stretches[-1][1], b""), is_last=False)


async def read_entries(connection: Any, statement: str, *values: Any) -> list[EntryInForce]:
    """The entries in force that a statement of `rerates.sql` selects."""
    return [EntryInForce(**row) for row in await connection.fetch(statement, *values)]


def _enough(rows: Iterable[Any]) -> Iterable[datetime]:
    """The first minutes, until they hold a chunk."""
    events = 0
    for row in rows:
        if events >= CHUNK_ENTRIES:
            return
        yield row["bucket"]
        events += row["events"]


def _stretches(
    minutes: Sequence[datetime], since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """The minutes' time from `since` to `until`, neighbours as one."""
    found: list[tuple[datetime, datetime]] = []
    for minute in minutes:
        start, end = max(minute, since), min(minute + MINUTE, until)
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    return found
