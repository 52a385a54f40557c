"""Writes down what came of an attempt: of the delivery, of its channel, and of what that is to remember."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import asyncpg

from services.alerts.notify import DeliveryOutcome
from services.alerts.notify.merging import SQL
from services.alerts.notify.queue import TOPIC
from services.alerts.notify.texts import one_line
from spendmeter.contracts.incidents import IncidentEvent, encode_incident

ERROR_CHARACTERS_MAX = 300
REMEMBERED_CHARACTERS_MAX = 64 * 1024


async def write_down(
    pool: asyncpg.Pool[asyncpg.Record],
    row: asyncpg.Record,
    answer: DeliveryOutcome,
    delay: tuple[timedelta, bool] | None,
    *,
    kind: str,
    event: IncidentEvent | None,
) -> str:
    """In one transaction; delivered, postponed or failed.

    `delay`: when it is tried again, and whether this attempt counts; None = it is not. `event`: what the
    channel was told of one incident, None = something else.
    """
    answer = storable(answer)
    done = answer.delivered or bool(answer.skipped)
    async with pool.acquire() as connection, connection.transaction():
        if event is not None and (done or answer.remember):
            told = encode_incident(event).decode() if done and not answer.skipped else None
            await connection.execute(
                SQL["remember"], row["tenant"], row["incident_id"], row["channel_id"],
                dict(answer.remember), told, row["id"], kind == "alertmanager",
            )  # fmt: skip
        if row["channel_id"] != TOPIC:
            await _of_channel(connection, row, answer, delay)
        if done:
            await connection.execute(SQL["delivered"], row["tenant"], row["id"], answer.skipped)
            return "delivered"
        if delay is None:
            await connection.execute(SQL["fail"], row["tenant"], row["id"], answer.error)
            return "failed"
        wait, counts = delay
        await connection.execute(
            SQL["postpone"], row["tenant"], row["id"], wait, row["attempts"], answer.error, counts
        )
        return "postponed"


def storable(answer: DeliveryOutcome) -> DeliveryOutcome:
    """The outcome in texts that Postgres takes. Receivers have a say in them, and one of a tenant's own that
    answers with U+0000 must not end the process in which everybody's are told."""
    remember = {name: one_line(value, REMEMBERED_CHARACTERS_MAX) for name, value in answer.remember.items()}
    return replace(answer, error=one_line(answer.error, ERROR_CHARACTERS_MAX), remember=remember)


async def _of_channel(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    row: asyncpg.Record,
    answer: DeliveryOutcome,
    delay: tuple[timedelta, bool] | None,
) -> None:
    """How the channel fares. What was skipped, or is to wait, says nothing of that."""
    key, is_test = (row["tenant"], row["channel_id"]), row["incident_id"] is None
    if answer.delivered and not answer.skipped:
        if await connection.fetchval(SQL["channel_delivers"], *key):
            await connection.execute(SQL["hasten"], *key)
    elif not answer.skipped and (delay is None or delay[1]):
        await connection.execute(SQL["channel_fails"], *key, answer.error, delay is None, is_test)
    if answer.gone:
        await connection.execute(SQL["disable_channel"], *key, answer.error)
