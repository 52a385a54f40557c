"""Puts an incident's message into deliveries, within the transaction of its transition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from services.alerts.notify.routing import Passage, Route, passages
from spendmeter.contracts.channels import ChannelSettingsError, decode_settings, renews
from spendmeter.contracts.incidents import IncidentEvent, encode_incident
from spendmeter.contracts.routes import RouteError, match_of, quiet_of
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("queue.sql"))
CHANNELS_MAX = 20
"""Of one tenant, as api has it: who is told at once."""
TOPIC = UUID(int=0)
"""The channel of deliveries to the topic alerts.events."""
FALLBACK_WORDS = (
    "No channel is set to take this: it is told here because it is critical and this one is the first."
)


async def queue_message(
    connection: Any,
    event: IncidentEvent,
    now: datetime,
    *,
    told: bool,
    snoozed_until: datetime | None = None,
) -> None:
    """One delivery for each channel that it goes to, and one for the topic; not `told`: for that alone.
    `snoozed_until`: channels are not told before."""
    incident = UUID(event.incident_id)
    ways = [Passage(channel=TOPIC, at=now)]
    if told:
        rows = await connection.fetch(SQL["routes"], event.tenant, incident, CHANNELS_MAX)
        zone = zone_of(rows[0]["zone"] if rows else "UTC")
        found = passages([_route(row) for row in rows], event, snoozed_until or now, zone)
        if snoozed_until is not None:
            found = [replace(way, held=way.held or "snooze") for way in found]
        ways += found
    await connection.execute(
        SQL["queue"], event.tenant, incident, event.number, event.transition,
        [way.channel for way in ways], [_body(event, way) for way in ways],
        [None if way.at <= now else way.at for way in ways], [way.held for way in ways],
    )  # fmt: skip


async def queue_update(connection: Any, event: IncidentEvent) -> None:
    """New figures, for the topic and for channels that were told of the incident and renew what they show."""
    incident = UUID(event.incident_id)
    rows = await connection.fetch(SQL["routes"], event.tenant, incident, CHANNELS_MAX)
    shown = [row["id"] for row in rows if row["told"] and not row["failing"] and _renews(row["settings"])]
    await connection.execute(
        SQL["queue_update"], event.tenant, incident, event.number, [TOPIC, *shown],
        encode_incident(event).decode(),
    )  # fmt: skip


def zone_of(name: str) -> ZoneInfo:
    """The zone, or UTC where nobody knows it: one tenant's typo must keep no message back."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _route(row: asyncpg.Record) -> Route:
    """What cannot be read lets everything through at once: an incident must not fail on how it is told."""
    settings, route = row["settings"], Route(channel=row["id"], kind=row["kind"], heard=row["heard"])
    single = settings["kind"] == "webhook" and settings.get("format", "spendmeter") != "spendmeter"
    try:
        return replace(
            route, match=match_of(row["match"]), quiet=quiet_of(row["quiet"]), single=single,
            digest_minutes=row["digest_minutes"], failing=row["failing"],
        )  # fmt: skip
    except RouteError as error:
        log().error("a channel's routes cannot be read", channel=str(route.channel), reason=str(error))
        return route


def _renews(settings: Mapping[str, Any]) -> bool:
    try:
        return renews(decode_settings(msgspec.json.encode(settings)))
    except ChannelSettingsError:
        return False  # its deliveries say so


def _body(event: IncidentEvent, way: Passage) -> str:
    if way.fallback:
        event = msgspec.structs.replace(event, summary=f"{event.summary} {FALLBACK_WORDS}")
    return encode_incident(event).decode()
