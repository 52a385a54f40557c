"""Which channels a message goes to, and when. Pure.

A channel that was told of an incident is told of the rest of it, whatever its match says by then: a page that
nobody closes is worse than one too many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from spendmeter.contracts.channels import ChannelKind
from spendmeter.contracts.incidents import IncidentEvent, IncidentSeverity
from spendmeter.contracts.routes import DIGEST_MINUTES_MAX, ChannelMatch, QuietHours, quiet_until

Held = Literal["", "quiet", "digest", "snooze"]
"""Why a message waits; '' = it does not."""
CHANNEL_FAILING = "channel-failing/"
"""Begins the rule's id of an incident about a channel; the channel's id follows."""
MOSTLY = Decimal("0.5")
"""A label of the top contributor counts from this share of the money on."""

_SEVERITIES: tuple[IncidentSeverity, ...] = ("info", "warning", "critical")
_NO_MONEY = frozenset({"unbooked", "silence"})
_ONE_BY_ONE: frozenset[ChannelKind] = frozenset({"alertmanager", "pagerduty"})
"""They show each incident by itself, and group as they are set to."""
_CALMING = frozenset({"acknowledged", "resolved"})
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A channel as routing sees it; routes come in the order of their position."""

    channel: UUID
    kind: ChannelKind
    match: ChannelMatch = field(default_factory=ChannelMatch)
    quiet: tuple[QuietHours, ...] = ()
    digest_minutes: int = 0
    single: bool = False
    """Its format tells one incident at a time."""
    failing: bool = False
    heard: bool = False
    """Whether it was sent a message of this incident before."""
    over: bool = False
    """Whether the last of them said that it was over."""
    part_heard: bool = False
    """Whether it has heard of one that is told with this one, by itself."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One channel's share in a message: when it goes out, and why it waits until then."""

    channel: UUID
    at: datetime
    held: Held = ""
    fallback: bool = False
    """No channel is set to take it: this is the first one."""


def passages(routes: Sequence[Route], event: IncidentEvent, now: datetime, zone: ZoneInfo) -> list[Passage]:
    """Where a message goes.

    A critical one that no channel takes goes to the first that does not fail: nobody sets up a match in order
    to hear of nothing. What is about a channel goes to another one alone, the next.
    """
    if event.rule.startswith(CHANNEL_FAILING):
        return [_passage(each, event, now, zone) for each in _beside(routes, event)]
    taken = [each for each in routes if each.heard or takes(each.match, event)]
    if event.details.get("by_chance"):  # a pager knows no digest
        taken = [each for each in taken if each.heard or not (each.single or each.kind in _ONE_BY_ONE)]
    fallback = not taken and event.severity == "critical"
    if fallback:
        taken = sorted(routes, key=lambda each: each.failing)[:1]
    told = [each for each in taken if not _has_had(each, event)]
    return [_passage(each, event, now, zone, fallback=fallback) for each in told]


def _has_had(route: Route, event: IncidentEvent) -> bool:
    """Whether the channel knows: that it is over, or of the same money by a part of it."""
    if route.heard:
        return route.over and event.transition in _CALMING
    return route.part_heard


def takes(match: ChannelMatch, event: IncidentEvent) -> bool:
    """Whether a channel with this match is told of an incident."""
    if _SEVERITIES.index(event.severity) < _SEVERITIES.index(match.severity):
        return False
    if match.kinds and event.kind not in match.kinds:
        return False
    top = event.top_contributor
    mostly = top.dimensions if Decimal(top.share) >= MOSTLY else {}
    return all((event.scope.get(name) or mostly.get(name)) == value for name, value in match.scope.items())


def bypasses(event: IncidentEvent) -> bool:
    """Critical money waits for no morning and no digest."""
    return event.severity == "critical" and event.kind not in _NO_MONEY


def digest_at(minutes: int, now: datetime, zone: ZoneInfo) -> datetime:
    """When the next digest goes out: every so many minutes from the local day's beginning on."""
    today = now.astimezone(zone).date()
    midnight, next_midnight = (
        datetime.combine(day, time(), zone).astimezone(UTC) for day in (today, today + _DAY)
    )
    step = timedelta(minutes=minutes)
    return min(midnight + ((now - midnight) // step + 1) * step, next_midnight)


def _passage(
    route: Route, event: IncidentEvent, now: datetime, zone: ZoneInfo, *, fallback: bool = False
) -> Passage:
    single = route.single or route.kind in _ONE_BY_ONE
    at, held = now, ""
    calms = route.kind in _ONE_BY_ONE and route.heard and event.transition in _CALMING
    if not (bypasses(event) or calms):
        # What may be chance is told once a day by who is to tell the rest at once.
        minutes = route.digest_minutes or (DIGEST_MINUTES_MAX if event.details.get("by_chance") else 0)
        if minutes and not single:
            at, held = digest_at(minutes, now, zone), "digest"
        quiet = quiet_until(route.quiet, at, zone)
        if quiet > at:
            at, held = quiet, held or "quiet"
    return Passage(channel=route.channel, at=at, held=held, fallback=fallback)  # type: ignore[arg-type]


def _beside(routes: Sequence[Route], event: IncidentEvent) -> list[Route]:
    """Who is told that a channel fails: who was told so already, else the next one that does not fail, rather
    one that takes such a message."""
    failing = event.rule.removeprefix(CHANNEL_FAILING)
    others = [each for each in routes if str(each.channel) != failing]
    if heard := [each for each in others if each.heard]:
        return heard
    place = next((at for at, each in enumerate(routes) if str(each.channel) == failing), len(routes))
    cyclic = others[place:] + others[:place]
    return sorted(cyclic, key=lambda each: (each.failing, not takes(each.match, event)))[:1]
