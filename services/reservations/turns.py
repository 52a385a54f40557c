"""One turn of a tenant's operations: one transaction, one lock, then the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg

from services.reservations.decide import DecidedTurn, decide
from services.reservations.operations import Operation
from services.reservations.read import SQL, CountersOutdated, lock, read
from services.reservations.recount import recount
from services.reservations.rows import counter_rows, reservation_rows
from services.reservations.values import AnswerKey, BudgetCounter, Reservation, StoredAnswer
from spendmeter.platform.postgres import CONNECTION_ERRORS

ACQUIRE_S = 3.0
RECOUNTS_MAX = 3
"""In a row, of one turn: more often nobody changes a tenant's budgets."""

NOTHING: Mapping[AnswerKey, tuple[StoredAnswer, UUID | None]] = MappingProxyType({})
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
    """Four questions while the tenant is locked, whatever is asked: each waits for this process, which serves
    hundreds of requests meanwhile."""
    await lock(connection, tenant)
    known = await read(connection, tenant, operations)
    turn = decide(known.state(tenant), operations, known.now)
    if turn.reservations or turn.counters or turn.answers:
        await write(connection, tenant, turn.reservations, turn.counters, turn.answers)
    return turn


async def write(
    connection: Any,
    tenant: str,
    reservations: Sequence[Reservation],
    counters: Sequence[BudgetCounter],
    answers: Mapping[AnswerKey, tuple[StoredAnswer, UUID | None]] = NOTHING,
) -> None:
    """What was decided: all of it, or nothing."""
    stored = list(answers.values())
    await connection.execute(
        SQL["write"],
        tenant,
        reservation_rows(reservations),
        counter_rows(counters),
        [endpoint for endpoint, _ in answers],
        [key for _, key in answers],
        [answer.payload for answer, _ in stored],
        [answer.decision.decode() for answer, _ in stored],
        [reservation for _, reservation in stored],
    )
