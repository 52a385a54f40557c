"""Turns: whose statement runs next. One tenant's hundred thousand series must not delay another's alert.

A look is made of statements, and each waits here for its turn. Budgets come before anomalies; then whoever
has been served least comes first, by the time that its statements took. Whoever was away comes back level
with the one who is served now: nobody saves up turns, and nobody waits for what others used before.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, get_args

AT_ONCE_MAX = 4
"""Statements of looks at a time: leaves connections for deliveries, neither waits for the other."""

Pass = Literal[
    "budgets",
    "last hours",
    "each value",
    "late budgets",
    "anomalies",
    "hours",
    "unbooked",
    "unreserved",
    "channels",
    "firsts",
    "forecasts",
    "loops",
    "levels",
    "burns",
    "proof",
    "silence",
    "dry_runs",
]
_TurnOrder = tuple[bool, float, int]


class Turns:
    """`async with turns.turn(tenant, "budgets"): ...` around each statement."""

    def __init__(self, at_once_max: int = AT_ONCE_MAX) -> None:
        self._free = at_once_max
        self._served_s: dict[str, float] = {}
        self._level_s = 0.0
        self._used_s: dict[tuple[str, Pass], float] = {}
        self._waiting: list[tuple[str, Pass, int, asyncio.Future[None]]] = []
        self._came = 0

    def used_s(self, tenant: str, of: Pass) -> float:
        """How long the tenant's statements have taken in all."""
        return self._used_s.get((tenant, of), 0.0)

    def forget(self, tenant: str) -> None:
        """It is not ours any more."""
        self._served_s.pop(tenant, None)
        for of in get_args(Pass):
            self._used_s.pop((tenant, of), None)

    @asynccontextmanager
    async def turn(self, tenant: str, of: Pass) -> AsyncIterator[None]:
        """Wait for a turn, and take up a place for as long as the block runs."""
        await self._enter(tenant, of)
        began = time.monotonic()
        try:
            yield
        finally:
            took_s = time.monotonic() - began
            self._served_s[tenant] = self._served_s.get(tenant, self._level_s) + took_s
            self._used_s[tenant, of] = self.used_s(tenant, of) + took_s
            self._leave()

    async def _enter(self, tenant: str, of: Pass) -> None:
        if self._free:  # so nobody waits: a place that comes free is given away, except to who has gone
            self._take(tenant)
            return
        self._came += 1
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (tenant, of, self._came, ready)
        self._waiting.append(waiter)
        try:
            await ready
        except asyncio.CancelledError:
            if ready.cancelled():
                self._waiting.remove(waiter)
            else:
                self._leave()  # its turn had come in the same moment
            raise

    def _take(self, tenant: str) -> None:
        self._free -= 1
        self._served_s[tenant] = self._level_of(tenant)
        self._level_s = max(self._level_s, self._served_s[tenant])

    def _leave(self) -> None:
        self._free += 1
        waiting = [waiter for waiter in self._waiting if not waiter[3].done()]
        if waiting:
            chosen = min(waiting, key=self._place)
            self._waiting.remove(chosen)
            self._take(chosen[0])
            chosen[3].set_result(None)

    def _place(self, waiter: tuple[str, Pass, int, asyncio.Future[None]]) -> _TurnOrder:
        tenant, of, came, _ = waiter
        return of not in {"budgets", "last hours"}, self._level_of(tenant), came

    def _level_of(self, tenant: str) -> float:
        return max(self._served_s.get(tenant, 0.0), self._level_s)
