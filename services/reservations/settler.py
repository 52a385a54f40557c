"""Counts what was booked since: adds it to `booked`, frees its reservations, and moves the mark, all at once.

An entry is read once for all tenants whose marks stand at the same place; each tenant that it is of counts it
in a transaction of its own, under its lock. Who finds a mark elsewhere than it was sought has been overtaken.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.reservations.read import SQL as TURN
from services.reservations.read import CountersOutdated, lock, read
from services.reservations.recount import IDLE_MAX, SQL, recount
from services.reservations.rows import past_rows
from services.reservations.settle import PassedEntry, Settled, settle
from services.reservations.turns import AWAY, Pool, take_turn, write
from spendmeter.book.series import dimensions_of
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log

INTERVAL_S = 0.5
PAGE = 2_000
"""Entries read at once."""
FORGET_S = 3_600.0
COUNTERS_S = 2.0
"""How often it looks for counters that are missing; a turn that needs one makes it at once."""
DUE_TENANTS_MAX = 100
SILENT_S_MAX = 15.0
COMMITS_WITHIN = timedelta(minutes=1)
"""A commit may name an event that is booked already: until then nobody knows that a call was not reserved."""


class Settler:
    """Run `keep_settling` beside the desk; any number of processes may."""

    def __init__(self, pool: Pool, meters: Meters) -> None:
        self._pool = pool
        self._meters = meters
        self._forget_at = self._counters_at = 0.0
        self.worked = Heartbeat("the book was counted", SILENT_S_MAX)

    async def keep_settling(self) -> None:
        """Look again and again, until cancelled."""
        await keep_doing(self.look, "book not counted", every_s=INTERVAL_S, away=AWAY, beat=self.worked)

    async def look(self) -> None:
        """Make counters that are missing, count what is new, and free what has run out."""
        while await self._look_once():
            self.worked.beat()

    async def _look_once(self) -> bool:
        """Whether more waits. Of all processes one at a time does it: what two of them read, the second would
        find counted once it has the tenant's lock, for which everybody else waits meanwhile."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(SQL["alone"], IDLE_MAX):
                return False
            now = asyncio.get_running_loop().time()
            if now >= self._counters_at:
                for row in await self._pool.fetch(TURN["hard_tenants"]):
                    await self._see_to_counters(row["tenant"])
                self._counters_at = now + COUNTERS_S
            more = await self.settle_once()
            await self._pool.execute(SQL["add_up_past"], COMMITS_WITHIN)
            for row in await self._pool.fetch(TURN["tenants_with_due"], DUE_TENANTS_MAX):
                turn = await take_turn(self._pool, row["tenant"], ())
                self._meters.add("spendmeter.reservations.expired", turn.expired)
            if now >= self._forget_at:
                await self._pool.execute(TURN["forget_answers"])
                await self._pool.execute(TURN["forget_reservations"])
                await self._pool.execute(SQL["forget_past"])
                self._forget_at = now + FORGET_S
            return more

    async def _see_to_counters(self, tenant: str) -> None:
        known = await read(self._pool, tenant)
        try:
            known.counters()
        except CountersOutdated:
            await recount(self._pool, tenant)

    async def settle_once(self) -> bool:
        """One page of each stretch that is behind; whether more waits. What is booked meanwhile is for the
        next look: who came back at once would hold the lock as often as all turns do."""
        stretches = await self._pool.fetch(SQL["behind"])
        more = [await self._settle(stretch) for stretch in stretches]
        behind = sum(stretch["until"] - stretch["since"] for stretch in stretches)
        self._meters.set("spendmeter.reservations.behind", behind)
        return any(more)

    async def _settle(self, stretch: Any) -> bool:
        bounds = [stretch[name] for name in ("partition", "begun_at", "ended_at", "since", "until")]
        rows = await self._pool.fetch(SQL["entries"], *bounds, PAGE)
        end = rows[-1]["origin_offset"] + 1 if len(rows) == PAGE else stretch["until"]
        of: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            of[row["tenant"]].append(row)
        move = stretch["partition"], stretch["account"], stretch["since"], end
        if idle := [tenant for tenant in stretch["tenants"] if tenant not in of]:
            await self._pool.fetchval(SQL["move_marks"], idle, *move)
        for tenant in stretch["tenants"]:
            if tenant in of:
                await self._settle_tenant(tenant, of[tenant], move)
        return bool(end < stretch["until"])

    async def _settle_tenant(self, tenant: str, rows: Sequence[Any], move: tuple[int, int, int, int]) -> None:
        entries = await _read(self._pool, tenant, rows)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await lock(connection, tenant)
                if await connection.fetchval(SQL["move_marks"], [tenant], *move) != 1:
                    return  # overtaken: the other one has counted it
                events = [each.identity for each in entries]
                known = await read(connection, tenant, events=events, due_max=0)
                settled = settle(known.state(tenant), entries)
                await write(connection, tenant, settled.reservations, settled.counters)
                if settled.past:
                    await connection.execute(SQL["write_past"], tenant, past_rows(settled.past))
        except CountersOutdated:
            await recount(self._pool, tenant)
            return
        self._tell(tenant, settled)

    def _tell(self, tenant: str, settled: Settled) -> None:
        self._meters.add("spendmeter.reservations.settled", len(settled.reservations))
        for what, numbers in (("mismatch", settled.mismatches), ("above_bound", settled.above)):
            for key_id, number in numbers.items():
                self._meters.add("spendmeter.reservations.unlike", number, what=what)
                log().warning(
                    "booked unlike reserved", reason=what, tenant=tenant, key_id=key_id, count=number
                )


async def _read(connection: Any, tenant: str, rows: Sequence[Any]) -> list[PassedEntry]:
    ids = list({row["series_id"] for row in rows})
    series = await dimensions_of(connection, tenant, ids)
    return [
        PassedEntry(
            identity=row["identity"],
            seq=row["seq"],
            dimensions=series[row["series_id"]],
            occurred_at=row["occurred_at"],
            currency=row["currency"],
            effective=row["effective"],
        )
        for row in rows
    ]
