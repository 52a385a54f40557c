"""One turn of a tenant's operations: one transaction, one lock, then the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.reservations.decide import DecidedTurn, decide
from services.reservations.operations import Operation
from services.reservations.read import SQL, CountersOutdated, lock, state_for
from services.reservations.recount import recount
from services.reservations.rows import counter_rows, reservation_rows
from spendmeter.platform.postgres import CONNECTION_ERRORS

ACQUIRE_S = 3.0
RECOUNTS_MAX = 3
"""In a row, of one turn: more often nobody changes a tenant's budgets."""

Pool = Any
"""An asyncpg pool, whose connections went through `read.prepare`."""
AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.PostgresError)
"""PostgresError: started before the schema and its roles were there."""


async def take_turn(pool: Pool, tenant: str, operations: Sequence[Operation]) -> DecidedTurn:
    """Decide and write; back once Postgres has committed. Without operations it frees what has run out.

    Raises CONNECTION_ERRORS: whether anything was decided is then unknown, but for the idempotency keys."""
    for _ in range(RECOUNTS_MAX):
        try:
            async with pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                return await _turn(connection, tenant, operations)
        except CountersOutdated:
            await recount(pool, tenant)
    raise TimeoutError(f"the budgets of {tenant} do not stand still")


async def _turn(connection: Any, tenant: str, operations: Sequence[Operation]) -> DecidedTurn:
    now = await lock(connection, tenant)
    state = await state_for(connection, tenant, operations, now)
    turn = decide(state, operations, now)
    if turn.reservations:
        await connection.execute(SQL["write_reservations"], tenant, reservation_rows(turn.reservations))
    if turn.counters:
        await connection.execute(SQL["write_counters"], tenant, counter_rows(turn.counters))
    if turn.answers:
        places, answers = list(turn.answers), list(turn.answers.values())
        await connection.execute(
            SQL["write_answers"],
            tenant,
            [endpoint for endpoint, _ in places],
            [key for _, key in places],
            [answer.payload for answer, _ in answers],
            [answer.decision.decode() for answer, _ in answers],
            [reservation for _, reservation in answers],
        )
    return turn
