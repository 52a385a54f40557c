"""Re-rating jobs, a chunk at a time: the dry run, applying, and what is booked late.

A chunk is some entries, priced with the job's version; what differs is written in one transaction with the
cursor, which moves from where it was read. What is interrupted was never begun, and of two who work at one
job one writes. People's corrections come between two chunks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.corrector import late
from services.corrector.ahead import Ahead, JobRow, JudgedChunk, can_go_on, judge_all, judge_chunk, next_turn
from services.corrector.fence import Overtaken, Standing, move
from services.corrector.job_requests import begin_applying
from services.corrector.job_work import SQL, JobName, JobWork, name_of, work_at
from services.corrector.job_writing import Verdict, apply, note
from services.corrector.price_books import NotPublished, VersionBooks, VersionUnits
from services.corrector.sweep import Chunk
from spendmeter.book.changed import TenantDay, day_of
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import spent_in
from spendmeter.book.sizes import bucket_at
from spendmeter.book.timelines import read_timelines
from spendmeter.platform.telemetry import log
from spendmeter.pricing.conditions import CatalogError

TURNS_READ = 21
"""Of which one is another tenant's, where there is one, unless more are under way than api allows."""
WORKS_MAX = 4
"""Jobs that are remembered with what they need; the eldest goes first."""


@dataclass(kw_only=True)
class Rerates:
    """`await step(connection, standing)` until it has nothing more to do."""

    log_ends: Callable[[], Awaitable[list[int]]]
    """Where each partition of `usage.events` ends now."""
    told: Callable[[Iterable[TenantDay]], object]
    """Hears which days changed, after that is committed."""
    books: VersionBooks = field(default_factory=VersionBooks)
    units: VersionUnits = field(default_factory=VersionUnits)
    _works: dict[tuple[JobName, str], JobWork] = field(default_factory=dict)
    _ahead: Ahead = field(default_factory=Ahead)
    _late: tuple[Sequence[Any], set[JobName]] | None = None
    """Rows of `late_rated`, and the jobs that they were put through; None = to be read."""
    _waiting: set[JobName] = field(default_factory=set)
    """Jobs that could not go on at their turn, since one could."""

    async def step(self, connection: Any, standing: Standing, beside: Any = None) -> tuple[Standing, bool]:
        """One job's part of what was booked late, and a chunk of the job whose turn it is; whether there is
        more to do just now. `beside`: another connection, on which the next turn's chunk is read meanwhile.
        Raises Overtaken, and CONNECTION_ERRORS."""
        standing, had_late = await self._look_at_late(connection, standing)
        jobs = await connection.fetch(SQL["running"], TURNS_READ)
        if not jobs:
            return standing, had_late
        job = jobs[0]
        work = await self._work_at(connection, job, job["phase"])
        if work is None:
            return standing, True
        if can_go_on(job):
            return await self._sweep(connection, standing, jobs, work, beside), True
        if not job["swept"] and await self._begin(connection, job):
            return standing, True
        why = await _waits_for(connection, job)
        if not why:
            return await self._end(connection, standing, job), True
        await connection.execute(SQL["wait"], *name_of(job), job["phase"], why)
        return standing, self._is_anybody_next(name_of(job)) or had_late

    def _is_anybody_next(self, waiting: JobName) -> bool:
        """Whether, while this one waits, another may go on at once: until its turn has come round again."""
        if waiting in self._waiting:
            self._waiting.clear()
            return False
        self._waiting.add(waiting)
        return True

    async def _work_at(self, connection: Any, job: Any, phase: str) -> JobWork | None:
        """What the job needs; None = it cannot be done, and is refused."""
        key = name_of(job), phase
        if key not in self._works:
            try:
                self._works[key] = await work_at(connection, job, self.books)
            except (NotPublished, CatalogError, msgspec.ValidationError) as error:
                log().error("a re-rating job cannot be done", job=job["rerate_id"], reason=str(error))
                await connection.execute(SQL["refuse"], *key[0], str(error))
                return None
            if len(self._works) > WORKS_MAX:
                del self._works[next(iter(self._works))]
        return self._works[key]

    async def _begin(self, connection: Any, job: Any) -> bool:
        """Whether an applying pass may go through the book from now on: whoever books without knowing the
        job's version lists it as late, and what was accepted before lies below `log_ends`."""
        if job["barrier"] is None:
            await connection.execute(SQL["set_barrier"], *name_of(job))
        if not await connection.fetchval(SQL["passed_barrier"], *name_of(job)):
            return False
        await connection.execute(SQL["set_log_ends"], *name_of(job), await self.log_ends())
        return True

    async def _sweep(
        self, connection: Any, standing: Standing, jobs: Sequence[JobRow], work: JobWork, beside: Any
    ) -> Standing:
        job = jobs[0]
        self._waiting.clear()
        if job["cursor_at"] is None:
            about = await _about(connection, job, work)
            await connection.execute(SQL["set_about"], *name_of(job), job["phase"], about)
        judged = self._ahead.take(job, standing) or await judge_chunk(connection, job, work, self.units)
        following = await self._following(connection, jobs, judged.chunk)
        async with self._ahead.during(beside, following, self.units):
            standing = await self._write(connection, standing, job, work, judged)
            self._ahead.holds_from(standing)
            if job["phase"] == "applied":
                self._tell(judged.verdict)
        return standing

    async def _following(
        self, connection: Any, jobs: Sequence[JobRow], before: Chunk
    ) -> tuple[JobRow, JobWork] | None:
        job = next_turn(jobs, before)
        work = job and await self._work_at(connection, job, job["phase"])
        return (job, work) if job and work else None

    async def _write(
        self, connection: Any, standing: Standing, job: Any, work: JobWork, judged: JudgedChunk
    ) -> Standing:
        chunk, verdict = judged.chunk, judged.verdict
        async with connection.transaction():
            if job["phase"] == "applied":
                standing = await apply(connection, standing, work, verdict, self.units)
            await note(connection, work, job["phase"], verdict)
            moved = await connection.execute(
                SQL["go_on"],
                *(*name_of(job), job["phase"], job["cursor_at"], job["cursor_identity"]),
                *(*chunk.cursor, chunk.is_last),
                *(verdict.seen, len(verdict.changes), len(verdict.left), verdict.elsewhere),
                *(verdict.since_dry_run, verdict.since_dry_run_changed),
            )
            if moved != "UPDATE 1":
                raise Overtaken
        return standing

    def _tell(self, verdict: Verdict) -> None:
        self.told(day_of(each.entry.tenant, each.entry.occurred_at) for each, _ in verdict.changes)

    async def _end(self, connection: Any, standing: Standing, job: Any) -> Standing:
        """The dry run has seen everything, and goes on where that was asked for; or all is applied."""
        async with connection.transaction():
            standing = await move(connection, standing)
            state = await connection.fetchval(SQL["end_pass"], *name_of(job), job["phase"], job["state"])
            if state == "applying":
                await begin_applying(connection, name_of(job))
        return standing

    async def _look_at_late(self, connection: Any, standing: Standing) -> tuple[Standing, bool]:
        (rows, done), self._late = self._late or (await late.read(connection), set()), None
        if not rows:
            return standing, False
        # A job may have begun, or been cancelled, since the last one had its part.
        left = [job for job in await late.jobs(connection, rows) if name_of(job) not in done]
        if left:
            standing = await self._put_through(connection, standing, left[0], rows)
        if len(left) > 1:
            self._late = rows, done | {name_of(left[0])}  # after trouble they are read again
        else:
            await late.mark(connection, rows)
        return standing, True

    async def _put_through(
        self, connection: Any, standing: Standing, job: Any, rows: Sequence[Any]
    ) -> Standing:
        work = await self._work_at(connection, job, "late")
        if work is None or not (entries := await late.entries_of_job(connection, work, rows)):
            return standing
        verdict = await judge_all(connection, work, entries, self.units)
        async with connection.transaction():
            standing = await apply(connection, standing, work, verdict, self.units)
            await note(connection, work, "applied", verdict)
            counts = len(verdict.changes), len(verdict.left), verdict.since_dry_run_changed
            await connection.execute(SQL["add_late"], *work.name, *counts)
        self._tell(verdict)
        return standing


async def _about(connection: Any, job: Any, work: JobWork) -> int:
    """How many events the pass will see, as far as rollups tell: they know no status, and of what is old no
    minutes. 0 = not known: of more series than are named all of the tenant's would be counted."""
    series = await work.series(connection)
    if series is None and work.is_by_name:
        return 0
    timeline = (await read_timelines(connection, [work.tenant]))[work.tenant]
    since, until = [at.replace(second=0, microsecond=0) for at in (job["since"], job["until"])]
    try:
        coverage = await spent_in(connection, work.tenant, [since, until], timeline)
    except MinutesDropped:
        hours = [bucket_at("hour", since, timeline).start, bucket_at("hour", until, timeline).end]
        coverage = await spent_in(connection, work.tenant, hours, timeline)
    about: int = await connection.fetchval(SQL["events_of"], *coverage, series)
    return about


async def _waits_for(connection: Any, job: Any) -> str:
    """What keeps a job that has nothing to do from its end; "" = nothing: all that was accepted before it
    began is booked, and its late ones are seen to."""
    if not job["swept"]:
        return "for transactions that began before the job was applied"
    if job["phase"] == "preview":
        return ""
    row = await connection.fetchrow(SQL["waits_for"], job["log_ends"])
    if row is None:
        return ""
    partition, booked, log_end = row
    if booked < log_end:
        return (
            "for events that were accepted before it: "
            f"partition {partition} is booked up to offset {booked:,} of {log_end:,}"
        )
    return f"for what was booked late of partition {partition}, below offset {log_end:,}"
