"""Follows the book: reads what was booked since, folds it, and writes what every projection is to add.

A mark moves in one transaction with what lies before it. Who finds one elsewhere than it was sought has been
overtaken: nothing is written, and the marks are read again. What is read in pages is written at once: the
more at once, the fewer rows are written an event.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from services.corrector.projections.pace import Pace
from services.corrector.projections.registered import PROJECTIONS, Fold, Projection
from services.corrector.projections.stretches import BookStretch, ProjectionMark, next_stretches
from spendmeter.book.entry import ENTRY_PARTS, BookEntry, read_entry
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "projections.sql", ENTRY_PARTS)
INTERVAL_S = 1.0
ENTRIES_MAX = 20_000
"""Of all partitions in one transaction, but for a page."""
ROWS_MAX = 10_000
"""Of all projections in one transaction, but for those of a page."""
PAGE_ENTRIES = 2_000
"""Read and folded at once: whoever corrects waits so long."""
PAGE_BYTES = 8 * 1024 * 1024
"""Of their events and lines."""
AGE_S_MAX = 30.0

_encode = msgspec.json.Encoder().encode

Moves = Sequence[tuple[str, int, int, int, int]]
"""(projection, partition, account, from, to)."""


class MarkMoved(Exception):
    """Somebody else has folded this: look where the projections stand."""


@dataclass(kw_only=True, eq=False)
class Projector:
    """Follows the book for as long as `run` runs."""

    pool: asyncpg.Pool[asyncpg.Record]
    meters: Meters
    projections: Sequence[Projection] = PROJECTIONS
    entries_max: int = ENTRIES_MAX
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.worked = Heartbeat("projections were brought up to date", AGE_S_MAX)
        self._pace = Pace(full=self.entries_max)

    async def run(self) -> None:
        """Follow until cancelled."""
        away = (*CONNECTION_ERRORS, MarkMoved)
        await keep_doing(self.look, "projections wait", every_s=INTERVAL_S, away=away, beat=self.worked)

    async def look(self) -> None:
        """Fold what is there, where it is time. Raises MarkMoved."""
        behind = sum(mark.behind for mark in await self._marks())
        to_book = await self.pool.fetchval(SQL["to_book"]) if behind else 0
        if not self._pace.is_due(-(-behind // len(self.projections)), self.clock(), to_book=to_book):
            return
        while behind > 0 and (passed := await self.fold_next()):
            behind -= passed
            self.worked.beat()

    async def catch_up(self) -> None:
        """Fold until nothing is left. Raises MarkMoved."""
        while await self.fold_next():
            self.worked.beat()

    async def fold_next(self) -> int:
        """Fold a batch of what was booked since; how many offsets it passed, 0 = all are up to date. Raises
        MarkMoved."""
        if not (stretches := next_stretches(await self._marks())):
            return 0
        folds = {each.name: each.fold() for each in self.projections}
        ends = await self._fold(stretches, folds)
        moves = [
            (name, each.account.partition, each.account.account, each.since, until)
            for each, until in zip(stretches, ends, strict=True)
            for name in sorted(each.projections)
        ]
        await self._write(folds, moves)
        return sum(after - before for *_, before, after in moves)

    async def _fold(self, stretches: Sequence[BookStretch], folds: Mapping[str, Fold]) -> list[int]:
        """Fold the stretches page by page, for as long as a batch lasts; where each was come to."""
        rest = dict(enumerate(stretches))
        ends = [each.since for each in stretches]
        entries = 0
        while rest and entries < self.entries_max and sum(map(len, folds.values())) < ROWS_MAX:
            for place, (page, end) in zip(list(rest), await self._read(list(rest.values())), strict=True):
                for name in rest[place].projections:
                    folds[name].add(page)
                entries += len(page)
                ends[place] = end
                rest[place] = replace(rest[place], since=end)
                if end == rest[place].until:
                    del rest[place]
        return ends

    async def _marks(self) -> list[ProjectionMark]:
        names = [each.name for each in self.projections]
        rows = await self.pool.fetch(SQL["standing"], names)
        if new := [row for row in rows if row["next_offset"] is None]:
            begun = [(row["projection"], row["partition"], row["account"]) for row in new]
            await self.pool.execute(SQL["begin"], *_columns(begun))
            rows = await self.pool.fetch(SQL["standing"], names)
        # A partition that the book began between the two readings has its turn the next time.
        marks = [ProjectionMark(**row) for row in rows if row["next_offset"] is not None]
        self._tell(marks)
        return marks

    def _tell(self, marks: Iterable[ProjectionMark]) -> None:
        behind: defaultdict[str, int] = defaultdict(int)
        for mark in marks:
            behind[mark.projection] += mark.behind
        for name, offsets in behind.items():
            self.meters.set("spendmeter.projections.behind", offsets, projection=name)

    async def _read(self, stretches: Sequence[BookStretch]) -> list[tuple[list[BookEntry], int]]:
        """Of each stretch the next entries, and the offset after the last: without any its end."""
        share = len(stretches)
        asked = _columns(
            (each.account.partition, each.account.begun_at, each.account.ended_at, each.since, each.until)
            for each in stretches
        )
        most = min(PAGE_ENTRIES, self.entries_max)
        rows = await self.pool.fetch(
            SQL["entries"], *asked, max(1, most // share), max(1, PAGE_BYTES // share)
        )
        entries: list[list[BookEntry]] = [[] for _ in stretches]
        ends = [each.until for each in stretches]
        for place, offset, *said in rows:
            entries[place - 1].append(read_entry(*said))
            ends[place - 1] = offset + 1
        return list(zip(entries, ends, strict=True))

    async def _write(self, folds: Mapping[str, Fold], moves: Moves) -> None:
        *marks, moved = _columns(moves)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["in_turn"])
            if await connection.fetchval(SQL["hold_marks"], *marks) != len(moves):
                raise MarkMoved
            for name, fold in folds.items():
                if added := fold.rows():
                    await connection.execute(SQL[f"add_to_{name}"], _encode(added).decode())
            await connection.execute(SQL["move_marks"], *marks, moved)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
