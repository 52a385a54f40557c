"""What an incident's minutes are held against: the hour before, and the same hour of the last days. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.scopes import MINUTE
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.terms import Timeline

DAYS = 7
BEFORE = timedelta(hours=1)

TimeSpan = tuple[datetime, datetime]
"""[start, end), whole minutes."""


@dataclass(frozen=True, kw_only=True)
class References:
    """Spans of the tenant's past; none of them holds a time at which it was not there, or of the incident."""

    began: datetime
    before: TimeSpan
    """The hour before it, or as much as there is: it may be empty."""
    days: Sequence[TimeSpan]
    """The same local hour of each of the last days, oldest first."""

    @property
    def edges(self) -> list[datetime]:
        """Where any of them begins or ends."""
        return sorted({at for span in (*self.days, self.before) for at in span} | {self.began})

    @property
    def length_before(self) -> timedelta:
        return self.before[1] - self.before[0]

    @property
    def length_of_days(self) -> timedelta:
        return sum((end - start for start, end in self.days), timedelta())


def references(began: datetime, first_seen: datetime | None, calendar: Timeline) -> References:
    """`began`: in the incident's first minute. `first_seen`: when the tenant first spent anything; None = it
    never did, so it has no past."""
    began = began.replace(second=0, microsecond=0)
    known_from = began if first_seen is None else _next_minute(first_seen)
    days = []
    for ago in range(DAYS, 0, -1):
        start, end = _same_hour(began, ago, calendar)
        if start >= known_from and end <= began - BEFORE:
            days.append((start, end))
    return References(began=began, before=(min(began, max(began - BEFORE, known_from)), began), days=days)


def _same_hour(began: datetime, ago: int, calendar: Timeline) -> TimeSpan:
    """By the clock on the wall, `ago` days before."""
    local = began.astimezone(calendar.at(began).zone)
    hour = bucket_at("hour", (local - timedelta(days=ago)).astimezone(began.tzinfo), calendar)
    return hour.start, hour.end


def _next_minute(at: datetime) -> datetime:
    """What was seen of a minute in which a tenant began is less than a minute."""
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE
