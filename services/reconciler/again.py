"""The second pass: proves what was proved before once more, from the beginning, for ever; slowly.

What somebody changes behind the mark the first pass does not see again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.reconciler.catalog import SQL
from services.reconciler.corrections import CORRECTOR, NO_TOPIC
from services.reconciler.proof import Proof
from services.reconciler.proving import WINDOW, Proving
from services.reconciler.reading import WindowReader
from services.reconciler.sums import DAY, WEEK, SumsProof, SumsSpan, larger_spans, pieces
from spendmeter.platform.telemetry import log

SHARE = 0.1
"""Of the time that it works, beside pauses: so much of a core, and of Postgres."""
AHEAD = timedelta(hours=1)
"""So far in the future events may happen."""
REST_S = 1.0
"""Between two rounds, however little there is to prove."""


@dataclass(kw_only=True, eq=False)
class Again:
    """`round` once; the caller goes round for ever."""

    pool: asyncpg.Pool[asyncpg.Record]
    first: Proving
    reader: WindowReader
    proof: Proof
    sums: SumsProof
    share: float = SHARE
    _looked: list[tuple[int, str, int, int]] = field(default_factory=list)
    _all_sums: bool = True

    async def round(self) -> None:
        """Prove all of it once more."""
        began, round_began = time.monotonic(), await self.proof.now()
        self._looked, self._all_sums = [], True
        async for _ in self._pieces():
            await asyncio.sleep((time.monotonic() - began) * (1 / self.share - 1))
            await self.first.caught_up.wait()
            began = time.monotonic()
        await self.proof.put_right(round_began, self._looked, all_sums=self._all_sums)
        await asyncio.sleep(REST_S)

    async def _pieces(self) -> AsyncIterator[None]:
        for row in await self.pool.fetch(SQL["accounts"]):
            if row["marked_topic"] != row["origin_topic"]:
                continue
            async for _ in self._windows(row):
                yield
        corrected = await self.pool.fetchval(SQL["corrector"], column=1)
        self._looked.append((CORRECTOR, NO_TOPIC, 0, corrected))
        for begin in range(0, corrected, WINDOW):
            judged = await self.reader.judge_corrections(begin, min(begin + WINDOW, corrected))
            await self.proof.note(judged.findings)
            yield
        async for _ in self._sums():
            yield

    async def _windows(self, row: Any) -> AsyncIterator[None]:
        """Of one partition; what the broker deletes meanwhile is left out, and not put right by that."""
        partition, topic, looked, begin = row["partition"], row["origin_topic"], row["looked"], 0
        while True:
            account = self.first.account(partition, topic, row["next_origin"])
            begin = max(begin, account.begins, row["first_origin"])
            if begin >= looked:
                return
            end = min(begin + WINDOW, looked)
            judged = await self.reader.judge(account, row["opened_at"], begin, end)
            await self.proof.note(judged.findings)
            self._note_looked(partition, topic, begin, end)
            begin = end
            yield

    def _note_looked(self, partition: int, topic: str, begin: int, end: int) -> None:
        if self._looked and self._looked[-1][::3] == (partition, begin):
            begin = self._looked.pop()[2]
        self._looked.append((partition, topic, begin, end))

    async def _sums(self) -> AsyncIterator[None]:
        since, end = await self.sums.first(), datetime.now(UTC) + AHEAD
        larger_since = since and since - DAY  # the day of the first minute begins before it
        while since is not None and since < end:
            until = min(since + WEEK, end)
            minutes = await self.sums.counted(since, until)
            for piece in pieces(minutes, since, until):
                await self._compare(self.sums.minutes(*piece), piece)
                yield
            for span in larger_spans(minutes, larger_since or since, until):
                await self._compare(self.sums.larger(*span), span)
                yield
            since = larger_since = until

    async def _compare(self, comparing: Awaitable[None], span: SumsSpan) -> None:
        """One that Postgres does not answer in time is left out: a round that began again for it would never
        come past it."""
        try:
            await comparing
        except (TimeoutError, asyncpg.QueryCanceledError) as error:
            self._all_sums = False
            log().warning(
                "rollups are not compared", error=type(error).__name__, since=span[0], until=span[1]
            )
