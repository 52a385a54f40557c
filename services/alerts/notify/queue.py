"""Puts an incident's message into deliveries, within the transaction of its transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    raises: bool = False
    """Whether that makes it critical. A pager wakes nobody for what is open there: it is told of the
    incident by itself."""


async def queue_message(
    connection: Any,
    event: IncidentEvent,
    now: datetime,
    *,
    told: bool,
    snoozed_until: datetime | None = None,
    wholes: Sequence[Whole] = (),
) -> set[UUID]:
    """One delivery for each channel that it goes to, and one for the topic; not `told`: for that alone.
    `snoozed_until`: channels are not told before. `wholes`: what it may be told with: a channel is told by
    the first of them that it has heard of. Returns those that tell of it."""
    ways, telling = [Passage(channel=TOPIC, at=now)], set()
    if told:
        ids = [whole.incident for whole in wholes]
        rows = await connection.fetch(
            SQL["routes"], event.tenant, UUID(event.incident_id), CHANNELS_MAX, ids, event.transition
        )
        zone = zone_of(rows[0]["zone"] if rows else "UTC")
        routes = [_route(row) for row in rows]
        heard_by = {
            route.channel: _heard_by(route, row["wholes_heard"], wholes)
            for route, row in zip(routes, rows, strict=True)
        }
        found = _ways(routes, event, snoozed_until, now, zone)
        ways += [way for way in found if heard_by[way.channel] is None]
        takers = {way.channel for way in found}
        for whole in wholes:
            heard = [
                replace(each, heard=True, over=False)
                for each in routes
                if each.channel in takers and heard_by[each.channel] is whole
            ]
            if heard:
                telling.add(whole.incident)
            if heard and whole.event is not None:
                await _put(connection, whole.event, _ways(heard, whole.event, snoozed_until, now, zone), now)
    await _put(connection, event, ways, now)
    return telling


def _heard_by(route: Route, heard: Sequence[UUID], wholes: Sequence[Whole]) -> Whole | None:
    """By what a channel is told of the incident; None = by itself, as it was before or as its format asks."""
    if route.heard or route.single:  # such a format has words for budgets alone
        return None
    known = [whole for whole in wholes if whole.incident in heard]
    if route.kind == "pagerduty":  # of what was critical for others alone it has heard by the newest
        known = [whole for whole in reversed(known) if not whole.raises]
    return next(iter(known), None)


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
    rows = await connection.fetch(SQL["routes"], event.tenant, incident, CHANNELS_MAX, [], event.transition)
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
    route = Route(
        channel=row["id"], kind=row["kind"], heard=row["heard"], over=row["ended"],
        part_heard=row["part_heard"], single=single,
    )  # fmt: skip
    try:
        return replace(
            route, match=match_of(row["match"]), quiet=quiet_of(row["quiet"]),
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
