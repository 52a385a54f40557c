"""Gathers what is asked of a tenant's budgets while its last turn is under way: the next one decides it all.

Nothing is kept between turns, so a process may end at any instant: what was answered is committed, and what
was not may be asked again with the same idempotency key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from services.reservations.decide import DecidedTurn
from services.reservations.operations import HoldDecision, Operation
from services.reservations.turns import AWAY, Pool, take_turn
from spendmeter.platform.telemetry import Meters, log

TURN_MAX = 500
"""Operations in one transaction."""
TOLD_AT_ONCE = 10
"""Then others are served: hundreds that are told in one go answer in one go, and `check` waits for all."""
WAITING_MAX = 5_000
"""Of one tenant; beyond, callers are told to come again."""
DEADLINE_S = 5.0


class Undecided(Exception):
    """Postgres is away, or too slow: what was asked may be decided or not; the same key will say."""


WhenUndecided = Callable[[str, Operation], Awaitable[HoldDecision | None]]


async def _refuse(_tenant: str, _operation: Operation) -> None:
    return None


@dataclass(eq=False)
class _Waiting:
    operation: Operation
    decided: asyncio.Future[HoldDecision] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Desk:
    """`await ask(tenant, operation)`, from any number of requests. `noted` is told every turn
    that was committed, before whoever asked."""

    def __init__(
        self,
        pool: Callable[[], Pool | None],
        meters: Meters,
        noted: Callable[[str, DecidedTurn], None] = lambda _tenant, _turn: None,
    ) -> None:
        self._pool = pool
        self._meters = meters
        self._noted = noted
        self.when_away: WhenUndecided = _refuse
        """What is decided without Postgres; None = nothing."""
        self._queues: dict[str, list[_Waiting]] = {}
        """By tenant that has a turn under way, what waits for the next one."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, tenant: str, operation: Operation) -> HoldDecision:
        """The decision, once it is committed; or that of `when_away`, once that is kept. Raises Undecided."""
        try:
            return await self._ask(tenant, operation)
        except Undecided:
            decision = await self.when_away(tenant, operation)
            if decision is None:
                raise
            self._meters.add("spendmeter.reservations.decisions", outcome="tranche")
            return decision

    async def _ask(self, tenant: str, operation: Operation) -> HoldDecision:
        began = time.perf_counter()
        waiting = _Waiting(operation)
        queue = self._queues.get(tenant)
        if queue is None:
            self._queues[tenant] = [waiting]
            task = asyncio.create_task(self._take_turns(tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(queue) >= WAITING_MAX:
            raise Undecided(f"{WAITING_MAX} requests wait already")
        else:
            queue.append(waiting)
        try:
            async with asyncio.timeout(DEADLINE_S):
                decision = await waiting.decided
        except TimeoutError:
            raise Undecided(f"no decision within {DEADLINE_S:g} s") from None
        self._meters.record("spendmeter.reservations.decision.duration", time.perf_counter() - began)
        self._meters.add("spendmeter.reservations.decisions", outcome=decision.reason or "done")
        return decision

    async def _take_turns(self, tenant: str) -> None:
        """Turn after turn, until nothing waits."""
        while queue := self._queues[tenant]:
            taken = [each for each in queue[:TURN_MAX] if not each.decided.done()]
            self._queues[tenant] = queue[TURN_MAX:]
            try:
                await self._turn(tenant, taken)
            except BaseException as error:
                _fail([*taken, *self._queues.pop(tenant)], error)
                raise
        del self._queues[tenant]

    async def _turn(self, tenant: str, taken: list[_Waiting]) -> None:
        pool = self._pool()
        try:
            if pool is None:
                raise OSError("not connected yet")
            turn = await take_turn(pool, tenant, [each.operation for each in taken])
        except AWAY as error:
            if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError) and taken[1:]:
                for each in taken:  # what one asks breaks a rule of Postgres': the others are not to suffer
                    await self._turn(tenant, [each])
                return
            log().warning(
                "a turn was not decided", tenant=tenant, error=type(error).__name__, count=len(taken)
            )
            self._meters.add("spendmeter.database.retries", service="reservations")
            _fail(taken, error)
            return
        self._noted(tenant, turn)
        for number, (each, decision) in enumerate(zip(taken, turn.decisions, strict=True), 1):
            if not each.decided.done():
                each.decided.set_result(decision)
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)


def _fail(taken: list[_Waiting], error: BaseException) -> None:
    for each in taken:
        if not each.decided.done():
            each.decided.set_exception(Undecided(f"Postgres is away ({type(error).__name__})"))
