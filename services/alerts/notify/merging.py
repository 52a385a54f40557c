"""What a claimed delivery says: its own message, or that of all that goes out with it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.notify.collapse import collapsed, digest
from services.alerts.notify.queue import zone_of
from spendmeter.contracts.incidents import IncidentEvent, decode_incident, encode_incident
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("deliveries.sql"))


async def merge_others(
    pool: asyncpg.Pool[asyncpg.Record], row: asyncpg.Record, now: datetime
) -> IncidentEvent | None:
    """What this delivery of a channel says at its first attempt; None = another one of the same is under way.

    The others are then told by it, in one transaction. From then on its words are fixed: a receiver that has
    seen its id has seen them.
    """
    own = decode_incident(row["body"])
    if row["attempts"] > 1 or own.transition == "digest":
        return own
    is_digest = row["held"] == "digest"
    async with pool.acquire() as connection, connection.transaction():
        name = "same_digest" if is_digest else "same_incident"
        others = await connection.fetch(SQL[name], row["tenant"], row["id"])
        if any(other["under_way"] for other in others):
            await connection.execute(SQL["give_back"], row["tenant"], row["id"], row["attempts"])
            return None
        if not others:
            return own
        zone = zone_of(await connection.fetchval(SQL["zone"], row["tenant"]) or "UTC")
        events = [decode_incident(other["body"]) for other in others]
        if is_digest:
            said = _digested([own, *events], str(row["id"]), now, zone)
        else:
            said = collapsed([*events, own], zone)
        await connection.execute(SQL["merge"], row["tenant"], row["id"], [other["id"] for other in others])
        await connection.execute(SQL["put_body"], *_put(row, said))
    return said


def _digested(events: list[IncidentEvent], id: str, now: datetime, zone: Any) -> IncidentEvent:
    """One message of what each incident has come to."""
    by_incident: dict[str, list[IncidentEvent]] = {}
    for event in events:
        by_incident.setdefault(event.incident_id, []).append(event)
    each = [collapsed(of_one, zone) for of_one in by_incident.values()]
    return digest(each, id=id, now=now) if len(each) > 1 else each[0]


def _put(row: asyncpg.Record, said: IncidentEvent) -> tuple[object, ...]:
    held = row["held"] if said.transition == "digest" else ""
    return row["tenant"], row["id"], encode_incident(said).decode(), held
