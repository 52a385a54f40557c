"""Closes days: hashes what each tenant had recorded on a day that is over, each day with the one before it,
and tells it on `ledger.roots`. Beside the booking, some entries at a time.

A day is closed when nothing can be recorded on it any more: bookings that begin after `closing_through` was
committed record later, and those that may not know it are waited for. Whatever interrupts this, it goes on
where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from services.ledger.day_fold import OpenDay, closed_day, encode_sums, fold, kept, open_day, tenants_of
from services.ledger.roots import Roots, days_of, named, placed
from services.ledger.roots_topic import RootsTopic
from spendmeter.contracts.chain import LEAF_COLUMNS, ChainDay, ChainPutBack, ChainSums
from spendmeter.platform.retry import keep_doing, passes
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(
    Path(__file__).with_name("sql") / "chain.sql",
    {"columns": ", ".join(f"e.{name}" for name in LEAF_COLUMNS)},
)
INTERVAL_S = 30.0
ENTRIES_MAX = 1_000
"""Hashed in one transaction, unless more were recorded at one instant."""
ENTRIES_AT_ONCE = 250
"""Hashed before others of the process have their turn: some milliseconds."""
STRETCH_MIN, STRETCH_MAX = timedelta(milliseconds=1), timedelta(hours=1)
"""Of a day that is read at once: shorter where more was recorded."""
REST = 3
"""So many times as long as it has worked it lets others work."""
PUBLISHED_MAX = 500
"""Days of tenants sent at once."""
_BEFORE_ALL = (date.min, "")
AFTER_ALL = "~"
"""Behind every name of a tenant."""


class ClosingStep(Enum):
    """What a step has done."""

    NOTHING = "nothing is left, somebody else closes, or the topic says otherwise"
    SOME = "some entries were hashed"
    CLOSED = "a day was closed"


@dataclass(kw_only=True, eq=False)
class Chain:
    """Closes days for as long as `run` runs; where several workers run, one at a time does."""

    pool: asyncpg.Pool[asyncpg.Record]
    topic: RootsTopic
    meters: Meters
    entries_max: int = ENTRIES_MAX
    rest: float = REST

    def __post_init__(self) -> None:
        self._stretch = timedelta(seconds=1)

    async def run(self) -> None:
        """Close until cancelled. Raises KafkaError where only a new process helps."""
        await keep_doing(self.look, "days are not closed", every_s=INTERVAL_S, away=passes)

    async def look(self) -> None:
        """Close all that is over, and tell what the topic lacks."""
        roots = await self._read_topic()
        if roots is None:
            return  # there is no topic yet
        await self._publish()
        if await self._begin():
            while (step := await self._go_on(roots)) is not ClosingStep.NOTHING:
                if step is ClosingStep.CLOSED:
                    await self._publish()
        roots = await self._read_topic() or roots
        progress = await self._progress()
        waits = len(roots.contradictions) + (progress["refused"] != "")
        self.meters.set("spendmeter.ledger.chain.contradicted", waits)
        behind = (progress["over_through"] or date.min) - (progress["closed_through"] or date.min)
        self.meters.set("spendmeter.ledger.chain.behind", max(0, behind.days))

    async def _progress(self) -> Any:
        return await self.pool.fetchrow(SQL["progress"])

    async def _read_topic(self) -> Roots | None:
        """What the topic says that the book does not; None = there is no topic yet."""
        if (topic_id := await self.topic.id()) is None:
            return None
        if (await self._progress())["topic"] != topic_id:
            await self.pool.execute(SQL["follow_topic"], topic_id)
        progress = await self._progress()
        roots = Roots(put_backs=await self._put_backs(), closed_through=progress["closed_through"])
        end = progress["next_offset"]
        async for records in self.topic.read(end):
            said = placed(records)
            keys = days_of(said)
            rows = await self.pool.fetch(
                SQL["known_roots"], [tenant for tenant, _ in keys], [day for _, day in keys]
            )
            roots.judge(said, {(row["tenant"], row["day"]): row["root"] for row in rows})
            end = said[-1][0] + 1 if said else end
        agrees_before = end if roots.agrees_before is None else roots.agrees_before
        contradicted = named(roots.contradictions)
        await self.pool.execute(SQL["read_through"], agrees_before, roots.epoch, contradicted)
        if contradicted:
            log().error("ledger.roots contradicts the book (docs/chain.md)", reason=contradicted)
        return roots

    async def _put_backs(self) -> list[ChainPutBack]:
        return [ChainPutBack(**row) for row in await self.pool.fetch(SQL["put_backs"])]

    async def _begin(self) -> bool:
        """Whether there is something to close, and everybody who books knows it."""
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"]):
                return False
            await connection.execute(SQL["begin_closing"], (await self._progress())["over_through"])
        progress = await self._progress()
        if progress["closing_through"] == progress["closed_through"]:
            return False
        if not progress["has_barrier"]:
            await self.pool.execute(SQL["set_barrier"])
        return bool((await self._progress())["passed_barrier"])

    async def _go_on(self, roots: Roots) -> ClosingStep:
        began_s = time.monotonic()
        async with self.pool.acquire() as connection, connection.transaction():
            step = ClosingStep.NOTHING
            if await connection.fetchval(SQL["alone"]):
                step = await self._step(connection, await connection.fetchrow(SQL["progress"]), roots)
        if step is not ClosingStep.NOTHING:
            await asyncio.sleep(self.rest * (time.monotonic() - began_s))
        return step

    async def _step(self, connection: Any, progress: Any, roots: Roots) -> ClosingStep:
        # Not only in _begin: another worker may have closed all of it since, and begun with the next day.
        if progress["closing_through"] == progress["closed_through"] or not progress["passed_barrier"]:
            return ClosingStep.NOTHING
        if progress["day"] is not None:
            return await self._hash(connection, progress, roots)
        day = await connection.fetchval(SQL["next_day"], progress["closing_through"])
        if day is not None and await connection.execute(SQL["begin_day"], day) == "UPDATE 1":
            return ClosingStep.SOME
        closed = day or progress["closing_through"]  # without entries, there is no day to close
        if await self._refused(connection, roots, closed, {}):
            return ClosingStep.NOTHING
        await connection.execute(SQL["closed"], closed)
        return ClosingStep.SOME

    async def _hash(self, connection: Any, progress: Any, roots: Roots) -> ClosingStep:
        """The next stretch of the day, or when all are hashed the day's roots."""
        day, since = progress["day"], progress["hashed_before"]
        ends = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        if since >= ends:
            return await self._close(connection, day, progress["epoch"], roots)
        while True:
            until = since + self._stretch if since + self._stretch < ends else None
            at_most = None if self._stretch <= STRETCH_MIN else self.entries_max + 1
            entries = await connection.fetch(SQL["entries"], day, since, until, at_most)
            if at_most is None or len(entries) < at_most:
                break
            self._stretch = max(self._stretch / 2, STRETCH_MIN)
        if len(entries) < self.entries_max / 4:
            self._stretch = min(self._stretch * 2, STRETCH_MAX)
        if entries:
            await _fold(connection, entries)
        await connection.execute(SQL["hashed"], until or ends)
        return ClosingStep.SOME

    async def _close(self, connection: Any, day: date, epoch: int, roots: Roots) -> ClosingStep:
        now = datetime.now(UTC)
        rows = await connection.fetch(SQL["whole_day"])
        days = [closed_day(row, day=day, epoch=epoch, closed_at=now) for row in rows]
        if await self._refused(connection, roots, day, {each.tenant: each.root for each in days}):
            return ClosingStep.NOTHING
        await connection.execute(SQL["close_day"], day, epoch, now, *_columns(days))
        await connection.execute(SQL["forget_open"])
        await connection.execute(SQL["closed"], day)
        return ClosingStep.CLOSED

    async def _refused(self, connection: Any, roots: Roots, day: date, said: dict[str, str]) -> bool:
        """Whether closing up to `day` would say otherwise than the topic does; then it waits, and is told."""
        found = named(roots.contradicting(day, said))
        if found:
            await connection.execute(SQL["refuse"], found)
            log().error("a day is not closed: ledger.roots says otherwise (docs/chain.md)", reason=found)
        else:
            roots.settle(day)
        return bool(found)

    async def _publish(self) -> None:
        """Tell what the topic may lack; what it has is told again after a crash, which changes nothing."""
        progress = await self._progress()
        put_backs = [each for each in await self._put_backs() if each.epoch > progress["published_epoch"]]
        through = progress["published_through"]
        if through == progress["closed_through"] and not put_backs:
            return
        await self.topic.publish(put_backs)
        after = _BEFORE_ALL if through is None else (through, AFTER_ALL)
        while rows := await self.pool.fetch(SQL["unpublished"], *after, PUBLISHED_MAX):
            await self.topic.publish(map(_told, rows))
            after = (rows[-1]["day"], rows[-1]["tenant"])
        await self.pool.execute(SQL["published"], progress["closed_through"], progress["epoch"])


async def _fold(connection: Any, entries: Sequence[Any]) -> None:
    rows = await connection.fetch(SQL["open_days"], sorted(tenants_of(entries)))
    days: dict[str, OpenDay] = {tenant: open_day(*said) for tenant, *said in rows}
    for start in range(0, len(entries), ENTRIES_AT_ONCE):
        fold(days, entries[start : start + ENTRIES_AT_ONCE])
        await asyncio.sleep(0)
    states = [(tenant, *kept(day)) for tenant, day in sorted(days.items())]
    await connection.execute(SQL["keep_open"], *map(list, zip(*states, strict=True)))


def _columns(days: Sequence[ChainDay]) -> tuple[list[Any], ...]:
    return (
        [each.tenant for each in days],
        [each.previous_day for each in days],
        [each.previous for each in days],
        [each.leaves for each in days],
        [encode_sums(each.sums) for each in days],
        [each.link for each in days],
        [each.root for each in days],
    )


def _told(row: Any) -> ChainDay:
    return ChainDay(**{**row, "sums": msgspec.json.decode(row["sums"], type=dict[str, ChainSums])})
