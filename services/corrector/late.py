"""What was booked by an older catalog than there was, put through the jobs that concern it, as it comes.

A job's sweep sees what is booked before its cursor comes by; this sees what is booked behind it, during the
job or after. So many at a time as a chunk has, however many partitions there are. Jobs write nothing twice,
so a mark may stand behind what was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.corrector.in_force import EntryInForce
from services.corrector.job_work import SQL, JobWork
from services.corrector.sweep import CHUNK_BYTES, CHUNK_ENTRIES, read_entries


async def read(connection: Any) -> Sequence[Any]:
    """Rows of `late_rated` that nobody has looked at, some of each partition: a chunk's in all."""
    rows: Sequence[Any] = await connection.fetch(SQL["late"], CHUNK_ENTRIES, CHUNK_BYTES)
    return rows


async def jobs(connection: Any, rows: Sequence[Any]) -> Sequence[Any]:
    """The jobs that apply, or have applied, a version that some of the rows were booked without: the lowest
    version first, so that they end with the highest."""
    tenants = sorted({row["tenant"] for row in rows})
    oldest = min(row["catalog_version"] for row in rows)
    found: Sequence[Any] = await connection.fetch(SQL["jobs_of_late"], tenants, oldest)
    return found


async def entries_of_job(connection: Any, work: JobWork, rows: Sequence[Any]) -> Sequence[EntryInForce]:
    """The entries in force of those rows that a job selects."""
    theirs = [row for row in rows if row["tenant"] == work.tenant and row["catalog_version"] < work.version]
    times, identities = [row["occurred_at"] for row in theirs], [row["identity"] for row in theirs]
    entries = await read_entries(
        connection, SQL["late_entries"], work.tenant, identities, work.version, times
    )
    return await work.selected(connection, entries)


async def mark(connection: Any, rows: Sequence[Any]) -> None:
    """They were looked at."""
    ends: dict[int, int] = {}
    for row in rows:
        ends[row["origin_partition"]] = max(row["origin_offset"] + 1, ends.get(row["origin_partition"], 0))
    await connection.execute(SQL["mark_late"], list(ends), list(ends.values()))
