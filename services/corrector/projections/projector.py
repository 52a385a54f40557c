"""Follows the book: reads what was booked since, folds it, and writes what every projection is to add.

A mark moves in one transaction with what lies before it. Who finds one elsewhere than it was sought has been
overtaken: nothing is written, and the marks are read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from services.corrector.projections.entry import BookEntry, read_entry
from services.corrector.projections.registered import PROJECTIONS, Projection
from services.corrector.projections.stretches import BookStretch, ProjectionMark, next_stretches
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "projections.sql")
INTERVAL_S = 1.0
ENTRIES_MAX = 8_000
"""Of all partitions in one transaction: the more, the fewer rows are written an event."""
BYTES_MAX = 8 * 1024 * 1024
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

    def __post_init__(self) -> None:
        self.worked = Heartbeat("projections were brought up to date", AGE_S_MAX)

    async def run(self) -> None:
        """Follow until cancelled."""
        away = (*CONNECTION_ERRORS, MarkMoved)
        await keep_doing(self.catch_up, "projections wait", every_s=INTERVAL_S, away=away, beat=self.worked)

    async def catch_up(self) -> None:
        """Fold until nothing is left. Raises MarkMoved."""
        while await self.fold_next():
            self.worked.beat()

    async def fold_next(self) -> int:
        """Fold a batch of what was booked since; how many offsets it passed, 0 = all are up to date. Raises
        MarkMoved."""
        marks = await self._marks()
        self._tell(marks)
        if not (stretches := next_stretches(marks)):
            return 0
        read = await self._read(stretches)
        moves = [
            (name, each.account.partition, each.account.account, each.since, until)
            for each, (_, until) in zip(stretches, read, strict=True)
            for name in sorted(each.projections)
        ]
        rows = {
            projection.name: projection.fold(
                entry
                for each, (entries, _) in zip(stretches, read, strict=True)
                if projection.name in each.projections
                for entry in entries
            )
            for projection in self.projections
        }
        await self._write(rows, moves)
        return sum(after - before for *_, before, after in moves)

    async def _marks(self) -> list[ProjectionMark]:
        names = [each.name for each in self.projections]
        rows = await self.pool.fetch(SQL["standing"], names)
        if new := [row for row in rows if row["next_offset"] is None]:
            begun = [(row["projection"], row["partition"], row["account"]) for row in new]
            await self.pool.execute(SQL["begin"], *_columns(begun))
            rows = await self.pool.fetch(SQL["standing"], names)
        # A partition that the book began between the two readings has its turn the next time.
        return [ProjectionMark(**row) for row in rows if row["next_offset"] is not None]

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
        rows = await self.pool.fetch(
            SQL["entries"], *asked, max(1, self.entries_max // share), max(1, BYTES_MAX // share)
        )
        entries: list[list[BookEntry]] = [[] for _ in stretches]
        ends = [each.until for each in stretches]
        for place, offset, *said in rows:
            entries[place - 1].append(read_entry(*said))
            ends[place - 1] = offset + 1
        return list(zip(entries, ends, strict=True))

    async def _write(self, rows: Mapping[str, Sequence[Struct]], moves: Moves) -> None:
        *marks, moved = _columns(moves)
        async with self.pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(SQL["hold_marks"], *marks) != len(moves):
                raise MarkMoved
            for name, added in rows.items():
                if added:
                    await connection.execute(SQL[f"add_to_{name}"], _encode(added).decode())
            await connection.execute(SQL["move_marks"], *marks, moved)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
