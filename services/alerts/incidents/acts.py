"""Obeys, once a second, what people of any tenant do about incidents: acknowledge, snooze, expect them; and
tells what was withheld once the reason for that is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.snoozing import snoozed
from services.alerts.incidents.store import Store, incidents_of
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("acts.sql"))
SNOOZE_MAX = timedelta(days=30)
EXPECTED_FOR = timedelta(days=30)
"""For so long after its end an incident that people expected says what its scope may spend."""
PLAN_OVER = timedelta(minutes=6)
"""What goes on so long after its window is no longer what was planned."""
PARENT_OVER = timedelta(minutes=2)
"""A part that goes on so long after the whole was over is news of its own."""


async def obey(store: Store, now: datetime) -> None:
    """All that was said since. Raises CONNECTION_ERRORS."""
    await _acknowledge(store)
    await _snooze(store, now)
    async with store.pool.acquire() as connection:
        await connection.execute(SQL["expect"], EXPECTED_FOR)
    await _release(store, now)


async def _acknowledge(store: Store) -> None:
    async with store.pool.acquire() as connection, connection.transaction():
        for incident in incidents_of(await connection.fetch(SQL["acknowledge"])):
            await store.notify(connection, incident, "acknowledged", incident.updated_at)


async def _snooze(store: Store, now: datetime) -> None:
    async with store.pool.acquire() as connection, connection.transaction():
        for row in await connection.fetch(SQL["snoozes"], now - SNOOZE_MAX):
            until, (before,) = row["until"], incidents_of([row])
            if await store.replace_row(connection, before, snoozed(before, until, now)):
                name = "hold_back" if until is not None else "let_go"
                await connection.execute(SQL[name], before.tenant, before.id, until)


async def _release(store: Store, now: datetime) -> None:
    async with store.pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(SQL["releasable"], now, PLAN_OVER, PARENT_OVER)
        for before in incidents_of(rows):
            after = _told_after_all(before, now)
            if await store.replace_row(connection, before, after):
                await store.notify(connection, after, "opened", now)


def _told_after_all(incident: Incident, now: datetime) -> Incident:
    why = (
        "It was planned, and goes on after its window."
        if incident.planned
        else ("It was a part of another incident, and is told now that it outlasts or outgrows that.")
    )
    return replace(
        incident, told=True, number=incident.number + 1, updated_at=now, summary=f"{incident.summary} {why}"
    )
