"""When a scope spends: how its weekdays and its hours compare, and how much of a period is left. Pure.

Weights are scores, hence floats; no amount comes from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from spendmeter.contracts.periods import day_start

WEEK = 7
PROFILE_WEEKS = 8
"""From so many of the latest weeks a weekday's weight is taken: older habits do not count."""
TRIMMED_FROM = 5
"""A weekday seen so often loses its lowest and its highest day: a holiday or a runaway is no habit."""
EVEN_WEEKS = 1.0
EVEN_DAYS = 3.0
"""Evenness counts as much as so many weeks, or days, that were seen."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How spend is spread: weights of mean 1. Defaults are even."""

    weekdays: Sequence[float] = (1.0,) * WEEK
    """Monday first."""
    hours: Sequence[float] = (1.0,) * 24
    """By the local clock."""


def weekday_weights(amounts: Sequence[float], first: int) -> list[float]:
    """Weights of the weekdays, Monday first, from daily amounts, the first of which is of weekday `first`."""
    latest = max(0, len(amounts) - PROFILE_WEEKS * WEEK)
    means = []
    seen = PROFILE_WEEKS
    for weekday in range(WEEK):
        same = sorted(amounts[latest + (weekday - first - latest) % WEEK :: WEEK])
        seen = min(seen, len(same))
        kept = same[1:-1] if len(same) >= TRIMMED_FROM else same
        means.append(sum(kept) / len(kept) if kept else 0.0)
    return _weights(means, seen / (seen + EVEN_WEEKS))


def hour_weights(hours: Iterable[tuple[datetime, Decimal]], zone: ZoneInfo) -> list[float]:
    """Weights of a local day's hours, from amounts of hours that lie in whole days."""
    sums = [0.0] * 24
    days: set[date] = set()
    for at, amount in hours:
        local = at.astimezone(zone)
        sums[local.hour] += max(0.0, float(amount))
        days.add(local.date())
    return _weights(sums, len(days) / (len(days) + EVEN_DAYS))


def day_shares(
    profile: Profile, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[date, float]]:
    """The local days that [start, end) touches, and which share of each one's usual spend lies in it.

    A day has 23, 24 or 25 hours where the clock is changed.
    """
    at = start
    while at < end:
        day = at.astimezone(zone).date()
        opens, closes = day_start(day, zone), day_start(day + timedelta(days=1), zone)
        if at == opens and closes <= end:
            yield day, 1.0
        else:
            inside = _hours_weight(profile, zone, at, min(end, closes))
            whole = _hours_weight(profile, zone, opens, closes)
            yield day, inside / whole
        at = closes


def spread(profile: Profile, zone: ZoneInfo, start: datetime, end: datetime) -> float:
    """The weight of [start, end), in usual days."""
    return sum(
        profile.weekdays[day.weekday()] * share for day, share in day_shares(profile, zone, start, end)
    )


def remaining_share(profile: Profile, zone: ZoneInfo, start: datetime, end: datetime, now: datetime) -> float:
    """Which share of the usual spend of [start, end) lies after `now`: 1 at its start, 0 at its end.

    By this a burn rate is told from office hours: on a Friday night little of the week is left.
    """
    whole = spread(profile, zone, start, end)
    return spread(profile, zone, min(max(now, start), end), end) / whole if whole > 0 else 0.0


def instant_after(
    profile: Profile, zone: ZoneInfo, start: datetime, end: datetime, weight: float
) -> datetime:
    """The hour of [start, end) by whose end so much weight is spent; `end` where there is less in it."""
    at = start
    while at < end:
        next_hour = min(at.replace(minute=0, second=0, microsecond=0) + HOUR, end)
        weight -= spread(profile, zone, at, next_hour)
        if weight <= 0:
            return next_hour
        at = next_hour
    return end


def _hours_weight(profile: Profile, zone: ZoneInfo, start: datetime, end: datetime) -> float:
    weight, at = 0.0, start.astimezone(UTC)
    while at < end:
        local = at.astimezone(zone)
        gone = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        next_hour = min(at + HOUR - gone, end)
        weight += profile.hours[local.hour] * ((next_hour - at) / HOUR)
        at = next_hour
    return weight


def _weights(means: Sequence[float], trust: float) -> list[float]:
    """Of mean 1; what was seen counts `trust`, evenness the rest."""
    whole = sum(means)
    if whole <= 0:
        return [1.0] * len(means)
    return [trust * len(means) * mean / whole + 1.0 - trust for mean in means]
