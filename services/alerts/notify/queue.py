"""Puts an incident's message into deliveries, within the transaction of its transition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What an incident is told with: channels that have heard of that are told of the incident by it."""

    incident: UUID
    event: IncidentEvent | None
    """Its message that says so; None = there is nothing to say."""


async def queue_message(
    connection: Any,
    event: IncidentEvent,
    now: datetime,
    *,
    told: bool,
    snoozed_until: datetime | None = None,
    whole: Whole | None = None,
) -> None:
    """One delivery for each channel that it goes to, and one for the topic; not `told`: for that alone.
    `snoozed_until`: channels are not told before. `whole`: what it is told with, where that was heard."""
    ways = [Passage(channel=TOPIC, at=now)]
    if told:
        incident, around = UUID(event.incident_id), whole and whole.incident
        rows = await connection.fetch(SQL["routes"], event.tenant, incident, CHANNELS_MAX, around)
        zone = zone_of(rows[0]["zone"] if rows else "UTC")
        routes = [_route(row) for row in rows]
        alone = [each for each in routes if not each.within]
        found = _ways(routes, event, snoozed_until, now, zone)
        ways += [way for way in found if any(way.channel == each.channel for each in alone)]
        if whole is not None and whole.event is not None:
            takers = {way.channel for way in found} - {way.channel for way in ways}
            heard = [replace(each, heard=True, over=False) for each in routes if each.channel in takers]
            await _put(connection, whole.event, _ways(heard, whole.event, snoozed_until, now, zone), now)
    await _put(connection, event, ways, now)


def _ways(
    routes: list[Route], event: IncidentEvent, snoozed_until: datetime | None, now: datetime, zone: ZoneInfo
) -> list[Passage]:
    found = passages(routes, event, snoozed_until or now, zone)
    if snoozed_until is None:
        return found
    return [replace(way, held=way.held or "snooze") for way in found]


async def _put(connection: Any, event: IncidentEvent, ways: list[Passage], now: datetime) -> None:
    await connection.execute(
        SQL["queue"], event.tenant, UUID(event.incident_id), event.number, event.transition,
        [way.channel for way in ways], [_body(event, way) for way in ways],
        [None if way.at <= now else way.at for way in ways], [way.held for way in ways],
    )  # fmt: skip


async def queue_update(connection: Any, event: IncidentEvent) -> None:
    """New figures, for the topic and for channels that were told of the incident and renew what they show."""
    incident = UUID(event.incident_id)
    rows = await connection.fetch(SQL["routes"], event.tenant, incident, CHANNELS_MAX, None)
    shown = [row for row in rows if row["told"] and not (row["failing"] or row["ended"])]
    shown = [row["id"] for row in shown if _renews(row["settings"])]
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
    settings = row["settings"]
    single = settings["kind"] == "webhook" and settings.get("format", "spendmeter") != "spendmeter"
    within = row["whole_heard"] and not (row["heard"] or single)  # such a format has words for budgets alone
    route = Route(
        channel=row["id"], kind=row["kind"], heard=row["heard"], over=row["ended"],
        within=within, part_heard=row["part_heard"],
    )  # fmt: skip
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
