"""What a job makes of entries, and that written down: pairs where it applies, and the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.corrector.differences import Differences
from services.corrector.fence import Standing, move
from services.corrector.in_force import SEQ_MAX, TOO_OFTEN, EntryInForce
from services.corrector.job_work import SQL, JobWork
from services.corrector.pairs import Change, Replacement, counts_the_same
from services.corrector.price_books import VersionUnits
from services.corrector.rerating import LeftAlone, RepricedEntry, reprice
from services.corrector.write import units_then, write
from spendmeter.pricing.causes import CauseStep

LEFT_MAX = 1_000
"""Entries of a pass that are listed as left alone; all are counted."""


@dataclass(kw_only=True)
class Verdict:
    """What a job makes of some entries."""

    seen: int = 0
    changes: list[tuple[RepricedEntry, list[CauseStep]]] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)
    elsewhere: int = 0
    """That would cost something else for a reason which the job is not about."""
    since_dry_run: int = 0
    """Of those seen: booked or corrected since the dry run, which knew nothing of them."""
    since_dry_run_changed: int = 0

    def add(self, other: Verdict) -> None:
        """That of further entries."""
        self.seen += other.seen
        self.changes += other.changes
        self.left += other.left
        self.elsewhere += other.elsewhere
        self.since_dry_run += other.since_dry_run
        self.since_dry_run_changed += other.since_dry_run_changed

    def pairs(self, rerate_id: str) -> list[Change]:
        """What is to be written."""
        return [_change(each, rerate_id) for each, _ in self.changes]


def _change(each: RepricedEntry, rerate_id: str) -> Change:
    now = Replacement(rating=each.new, lines=each.lines)
    return Change(entry=each.entry, event=each.event, correction_id=rerate_id, replacement=now)


async def judge(
    connection: Any, work: JobWork, entries: Sequence[EntryInForce], units: VersionUnits
) -> Verdict:
    """Price entries anew, and decide which the job changes."""
    found = reprice(entries, work.book, work.selection)
    alike = [_change(each, work.rerate_id) for each in found.changed if each.is_same]
    then = await units_then(connection, units, alike)
    same = {change.entry.identity for change in alike if counts_the_same(change, then)}
    differing = [each for each in found.changed if each.entry.identity not in same]
    concerned = await work.concerned(connection, differing)
    changes = [change for change in concerned if change[0].entry.seq <= SEQ_MAX]
    often = [each.entry for each, _ in concerned if each.entry.seq > SEQ_MAX]
    return Verdict(
        seen=found.seen,
        changes=changes,
        left=[*found.left, *(LeftAlone(entry=entry, reason=TOO_OFTEN) for entry in often)],
        elsewhere=len(differing) - len(concerned),
        since_dry_run=sum(map(work.is_since_dry_run, entries)),
        since_dry_run_changed=sum(work.is_since_dry_run(each.entry) for each, _ in changes),
    )


async def apply(
    connection: Any, standing: Standing, work: JobWork, verdict: Verdict, units: VersionUnits
) -> Standing:
    """Write the pairs of a verdict, in the caller's transaction; where there are none the corrector moves all
    the same, so that no other is at work. Raises Overtaken."""
    changes = verdict.pairs(work.rerate_id)
    if not changes:
        return await move(connection, standing)
    return await write(connection, standing, changes, await units_then(connection, units, changes))


async def note(connection: Any, work: JobWork, phase: str, verdict: Verdict) -> None:
    """Write down what a verdict changes, or would, and what it leaves alone."""
    differences = Differences()
    spenders = await work.spenders(connection, {each.entry.series_id for each, _ in verdict.changes})
    for each, steps in verdict.changes:
        differences.add(spenders[each.entry.series_id], steps)
    whose = *work.name, phase
    if rows := list(differences.rows):
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(SQL["add_differences"], *whose, *columns)
    if verdict.left:
        left = [(*whose, *_listed(each), LEFT_MAX) for each in verdict.left]
        await connection.executemany(SQL["leave"], left)


class _Sender(msgspec.Struct):
    source: str
    id: str


def _listed(left: LeftAlone) -> tuple[Any, ...]:
    sender = msgspec.json.decode(left.entry.event, type=_Sender)
    return left.entry.occurred_at, left.entry.identity, sender.source, sender.id, left.reason
