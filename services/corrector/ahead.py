"""Reads and prices a job's next chunk while Postgres writes the one before.

Another connection reads, and Python prices in slices between which the writing goes on. What comes of it is
true as long as the corrector stands where the chunk before has brought it: entries above seq 0 are its own
work, chunks have no entry in common, and whatever is booked meanwhile is seen to as what comes late.
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

SLICE_ENTRIES = 50
"""Priced without a pause: some milliseconds, in which the writing may have to wait for Python."""

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


class Ahead:
    """`async with during(...)`: while its body writes a chunk, the next one is judged; `take` has it then."""

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
        self, connection: Any, job: JobRow, work: JobWork, units: VersionUnits, before: Chunk
    ) -> AsyncIterator[None]:
        """Judge what comes after `before`. `connection`: one that the body does not use; None = not now."""
        self._pass = self._standing = self._judged = None
        if connection is None or before.is_last:
            yield
            return
        following = {**job, "cursor_at": before.cursor[0], "cursor_identity": before.cursor[1]}
        task = asyncio.create_task(judge_chunk(connection, following, work, units))
        try:
            yield
            self._judged = await task
            self._pass = _place(following)
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task


def _place(job: JobRow) -> tuple[Any, ...]:
    return tuple(job[name] for name in ("tenant", "rerate_id", "phase", "cursor_at", "cursor_identity"))
