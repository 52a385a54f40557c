"""Reads and prices the chunk of the next turn while Postgres writes the one before.

Another connection reads, and Python prices in slices between which the writing goes on. What comes of it is
true as long as the corrector stands where the chunk before has brought it: entries above seq 0 are its own
work, two chunks have no entry in common, and whatever is booked meanwhile is seen to as what comes late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from services.corrector.fence import Standing
from services.corrector.in_force import EntryInForce
from services.corrector.job_work import JobWork
from services.corrector.job_writing import Verdict, judge
from services.corrector.price_books import VersionUnits
from services.corrector.sweep import Chunk, next_chunk

SLICE_ENTRIES = 25
"""Priced without a pause: a millisecond or so, in which the writing may have to wait for Python."""

JobRow = Mapping[str, Any]
"""As `running` has it."""


@dataclass(frozen=True, kw_only=True)
class JudgedChunk:
    """A chunk, and what the job makes of it."""

    chunk: Chunk
    verdict: Verdict


async def judge_chunk(connection: Any, job: JobRow, work: JobWork, units: VersionUnits) -> JudgedChunk:
    """The next chunk of the pass. A dry run is about the book as it stood when it began."""
    chunk = await next_chunk(connection, job, work)
    entries = chunk.entries
    if job["phase"] == "preview":
        entries = [entry for entry in entries if not work.is_since_dry_run(entry)]
    verdict = await judge_all(connection, work, entries, units)
    return JudgedChunk(chunk=chunk, verdict=verdict)


async def judge_all(
    connection: Any, work: JobWork, entries: Sequence[EntryInForce], units: VersionUnits
) -> Verdict:
    """`judge`, with pauses for others."""
    verdict = Verdict()
    for start in range(0, len(entries), SLICE_ENTRIES):
        verdict.add(await judge(connection, work, entries[start : start + SLICE_ENTRIES], units))
        await asyncio.sleep(0)
    return verdict


def next_turn(jobs: Sequence[JobRow], before: Chunk) -> JobRow | None:
    """Whose chunk is next once the first of these jobs, in the order of their turns, has written `before`, so
    that it may be read meanwhile; None = nobody's is known, or what is written may have changed it. Tenants
    have no entry in common, the jobs of one may have."""
    now, *others = [job for job in jobs if can_go_on(job)]
    for job in others:
        if job["tenant"] != now["tenant"]:
            return job
    if others:
        return others[0] if now["phase"] == "preview" else None
    if before.is_last:
        return None
    return {**now, "cursor_at": before.cursor[0], "cursor_identity": before.cursor[1]}


def can_go_on(job: JobRow) -> bool:
    """Whether there is a chunk for it: not before its barrier, nor after its end."""
    return not job["swept"] and (job["phase"] == "preview" or job["log_ends"] is not None)


class Ahead:
    """`async with during(...)`: while its body writes a chunk, another one is judged; `take` has it then."""

    def __init__(self) -> None:
        self._pass: tuple[Any, ...] | None = None
        self._standing: Standing | None = None
        self._judged: JudgedChunk | None = None

    def take(self, job: JobRow, standing: Standing) -> JudgedChunk | None:
        """The chunk at the job's cursor, where it was judged and nothing else was corrected since."""
        judged, self._judged = self._judged, None
        return judged if (self._pass, self._standing) == (_place(job), standing) else None

    def holds_from(self, standing: Standing) -> None:
        """The chunk before is committed, and has brought the corrector here."""
        self._standing = standing

    @asynccontextmanager
    async def during(
        self, connection: Any, following: tuple[JobRow, JobWork] | None, units: VersionUnits
    ) -> AsyncIterator[None]:
        """Judge the chunk of the job that follows. `connection`: one that the body does not use; None = not
        now."""
        self._pass = self._standing = self._judged = None
        if connection is None or following is None:
            yield
            return
        task = asyncio.create_task(judge_chunk(connection, *following, units))
        try:
            yield
            self._judged = await task
            self._pass = _place(following[0])
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task


def _place(job: JobRow) -> tuple[Any, ...]:
    return tuple(job[name] for name in ("tenant", "rerate_id", "phase", "cursor_at", "cursor_identity"))
