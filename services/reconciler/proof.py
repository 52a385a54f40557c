"""Writes down what is proved and what is wrong, and up to which moment of the book nothing is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from services.reconciler.catalog import SQL
from services.reconciler.findings import ProofFinding
from services.reconciler.window import Judged
from spendmeter.platform.telemetry import log

NEAR = timedelta(minutes=5)
"""Moments of so long are looked at one by one: there are not many."""
STILL = timedelta(seconds=6)
"""A ledger that has not looked at its log for so long stands still: it looks once a second, and people are to
know within 10 s."""
YOUNG_S, AGES = 30.0, timedelta(days=36_500)
"""So long after it was started itself, the ledger may be about to start as well: only what it says counts."""
OUTCOMES = ("booked", "duplicate", "conflict", "rejected")


@dataclass(kw_only=True, eq=False)
class Proof:
    """The reconciler's own tables."""

    pool: asyncpg.Pool[asyncpg.Record]
    _began_s: float = field(default_factory=time.monotonic)

    async def note(self, findings: Sequence[ProofFinding]) -> None:
        """Write down what is wrong; what was known before is said to be so still."""
        if not findings:
            return
        once = sorted({each.id: each for each in findings}.items())
        for _, each in once:
            log().warning("the book is wrong", invariant=each.invariant, tenant=each.tenant)
        await self.pool.execute(
            SQL["find"],
            [key for key, _ in once],
            *(
                [getattr(each, name) for _, each in once]
                for name in (
                    "tenant",
                    "invariant",
                    "what",
                    "named",
                    "origin_topic",
                    "partition",
                    "origin_offset",
                )
            ),
        )

    async def now(self) -> datetime:
        """By the clock that findings are written by."""
        at: datetime = await self.pool.fetchval(SQL["now"])
        return at

    async def put_right(
        self, since: datetime, looked: Sequence[tuple[int, str, int, int]], *, all_sums: bool
    ) -> None:
        """What was looked at again since then and not found is gone. `looked`: partition, topic, from which
        offset to which; `all_sums`: whether every sum was."""
        partitions = zip(*looked, strict=True) if looked else ((), (), (), ())
        await self.pool.execute(SQL["gone"], since, *map(list, partitions), all_sums)

    async def begin(self, partition: int, origin_topic: str, first_origin: int) -> None:
        """Of a partition that was never looked at, or whose topic was another."""
        await self.pool.execute(SQL["begin"], partition, origin_topic, first_origin)

    async def look_on(self, partition: int, origin_topic: str, begin: int, end: int, judged: Judged) -> None:
        """All of [begin, end) was looked at. The findings come first: a mark is never ahead of them."""
        await self.note(judged.findings)
        counted = (judged.counted.get(name, 0) for name in OUTCOMES)
        asked = (partition, origin_topic, begin, end, *counted, judged.without_record)
        await self.pool.execute(SQL["look_on"], *asked)

    async def prove(self, looked: Sequence[int]) -> int:
        """Move the marks and the proved moment as far as nothing is in the way; how many findings nobody has
        seen. `looked`: partitions that were looked at to the end of what is booked."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["looked"], looked)
            await connection.execute(SQL["prove"])
            unseen: int = await connection.fetchval(SQL["unseen"])
            await _prove_until(connection)
            young = time.monotonic() - self._began_s < YOUNG_S
            await connection.execute(SQL["note_line"], AGES if young else STILL)
            return unseen


async def _prove_until(connection: Any) -> None:
    standing = await connection.fetchrow(SQL["standing"])
    holds: bool = standing["holds"]
    if holds and standing["sums_are_wrong"]:
        await connection.execute(SQL["still_proved"])
        return
    moment, first, last = (standing[name] for name in ("moment", "first_at", "last_at"))
    since, until = (moment or first, last) if holds else (first, moment)
    proved = None if since is None else await _last_proved(connection, since, until)
    if proved is None and holds:
        await connection.execute(SQL["still_proved"])
    else:
        await connection.execute(SQL["prove_until"], *(proved or (None, None)))


async def _last_proved(connection: Any, since: datetime, until: datetime) -> Any:
    """The last moment from `since` to `until` that is proved: by halves, for the book only grows, so after
    one that is not proved none is."""
    low = since
    while until - low > NEAR:
        middle = low + (until - low) / 2
        before = await connection.fetchrow(SQL["moment_before"], middle)
        if before is None or before["covered"]:
            low = middle
        else:
            until = before["at"]
    return await connection.fetchrow(SQL["last_proved"], since, until)
