"""What of incidents goes to a channel, and when: its match and its quiet hours. Pure.

api takes them and alerts routes by them; both decode them here.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from spendmeter.contracts.incidents import IncidentKind, IncidentSeverity
from spendmeter.contracts.placed import placed

QUIET_MAX = 7
DIGEST_MINUTES_MAX = 1440
LABELS_MATCHED_MAX = 10
VALUE_CHARACTERS_MAX = 256
WEEK = (1, 2, 3, 4, 5, 6, 7)

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SOME_WEEK = datetime(2024, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class ChannelMatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told to a channel; as it stands, everything."""

    severity: IncidentSeverity = "info"
    """And what is graver."""
    kinds: tuple[IncidentKind, ...] = ()
    """() = any."""
    scope: dict[str, str] = {}
    """Dimension to value, all of which the incident has, or most of its money."""

    def __post_init__(self) -> None:
        if len(self.scope) > LABELS_MATCHED_MAX:
            raise ValueError(f"scope has {len(self.scope)} of at most {LABELS_MATCHED_MAX} labels")
        for name, value in self.scope.items():
            if not _LABEL.fullmatch(name):
                raise ValueError(f"scope: {name!r:.60} is no dimension's name")
            if not 1 <= len(value) <= VALUE_CHARACTERS_MAX:
                raise ValueError(f"scope: {name}: a value has 1 to {VALUE_CHARACTERS_MAX} characters")


class QuietHours(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from", "end": "until"}
):
    """From when until when a channel hears nothing that can wait, in the tenant's zone. `until` that is not
    after `from` is the next day's: 22:00 to 08:00 is a night, 00:00 to 00:00 a whole day."""

    begin: str
    end: str
    weekdays: tuple[int, ...] = WEEK
    """Those on which it begins, 1 = Monday."""

    def __post_init__(self) -> None:
        for name, value in (("from", self.begin), ("until", self.end)):
            if not _TIME.fullmatch(value):
                raise ValueError(f"quiet: {name} must be a time of day such as 22:00")
        if not self.weekdays or not set(self.weekdays) <= set(WEEK):
            raise ValueError("quiet: weekdays are numbers from 1 (Monday) to 7 (Sunday), one at least")

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When it is over, if `now` lies in it; both are instants, so that no change of clocks repeats it."""
        begin, end = time.fromisoformat(self.begin), time.fromisoformat(self.end)
        today = now.astimezone(zone).date()
        for day in (today - _DAY, today):
            last = day if end > begin else day + _DAY
            bounds = (datetime.combine(each, at, zone) for each, at in ((day, begin), (last, end)))
            since, over = (each.astimezone(UTC) for each in bounds)
            if day.isoweekday() in self.weekdays and since <= now < over:
                return over
        return None


def quiet_until(windows: Sequence[QuietHours], now: datetime, zone: ZoneInfo) -> datetime:
    """`now`, or when it is quiet no more; a week later at most, whatever the windows say."""
    at = now
    while at < now + 7 * _DAY:
        later = max((over for each in windows if (over := each.until(at, zone))), default=None)
        if later is None:
            return at
        at = later
    return now + 7 * _DAY


class RouteError(ValueError):
    """A match or quiet hours that cannot be; the message says why."""


def match_of(value: Mapping[str, Any]) -> ChannelMatch:
    """From JSON. Raises RouteError."""
    match: ChannelMatch = _converted(value, ChannelMatch)
    return match


def quiet_of(value: Sequence[Mapping[str, Any]]) -> tuple[QuietHours, ...]:
    """From JSON. Raises RouteError, also where they leave no time of a week to tell anything in."""
    windows: tuple[QuietHours, ...] = _converted(value, tuple[QuietHours, ...])
    if len(windows) > QUIET_MAX:
        raise RouteError(f"quiet has {len(windows)} of at most {QUIET_MAX} windows")
    if quiet_until(windows, _SOME_WEEK, ZoneInfo("UTC")) >= _SOME_WEEK + 7 * _DAY:
        raise RouteError("quiet: these hours leave none in which anything is told")
    return windows


def _converted(value: object, into: Any) -> Any:
    try:
        return msgspec.convert(value, into)
    except msgspec.ValidationError as error:
        raise RouteError(placed(error)) from None
