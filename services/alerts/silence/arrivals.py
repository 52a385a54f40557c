"""When a worker has heard the sources, since it listens. Pure.

What is booked says when usage was, not when it came. Who sends the last hour's usage once an hour looks
silent for an hour again and again: such ages are what its arrivals teach.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.scopes import MINUTE

COMES_TIMES = 3
LISTENS = timedelta(hours=3)
"""A source is judged once it has come three times, or after so long: who was away with us sends first."""
PAUSE_MAX = timedelta(minutes=5)
"""A worker that has not looked for so long has been away."""
REMEMBERED = timedelta(days=2)
AGE_MIN = timedelta(minutes=5)
AGES_MAX = 50


@dataclass(eq=False)
class _Arrived:
    newest: datetime
    came: int = 0
    ages: deque[tuple[datetime, timedelta]] = field(default_factory=lambda: deque(maxlen=AGES_MAX))


@dataclass(eq=False)
class Arrivals:
    """`take` the newest minute of each source at each look."""

    listens_since: datetime | None = None
    _looked_at: datetime | None = None
    _sources: dict[str, _Arrived] = field(default_factory=dict)

    def take(self, newest: Mapping[str, datetime], through: datetime) -> None:
        """By key, the newest minute that has something in it; the book is complete up to `through`."""
        if self._looked_at is None or through - self._looked_at > PAUSE_MAX:
            self.listens_since = through
            self._sources.clear()
        self._looked_at = through
        for key, minute in newest.items():
            known = self._sources.get(key)
            if known is None:
                self._sources[key] = _Arrived(minute)
            elif minute > known.newest:
                age = through - known.newest - MINUTE
                if age >= AGE_MIN:
                    known.ages.append((through, age))
                known.newest, known.came = minute, known.came + 1

    def put_right(self, newest: Mapping[str, datetime]) -> None:
        """What was looked up of some: it may have come late, or before this worker listened."""
        for key, minute in newest.items():
            known = self._sources.setdefault(key, _Arrived(minute))
            known.newest = max(known.newest, minute)

    def newest(self, key: str) -> datetime | None:
        """The newest minute in which it is known to have sent."""
        known = self._sources.get(key)
        return known.newest if known else None

    def newest_of_all(self) -> datetime | None:
        """The newest minute of any."""
        return max((each.newest for each in self._sources.values()), default=None)

    def judged(self, key: str, through: datetime) -> bool:
        """Whether it was listened to for long enough."""
        if self.listens_since is None:
            return False
        known = self._sources.get(key)
        return through - self.listens_since >= LISTENS or (known is not None and known.came >= COMES_TIMES)

    def usual_age(self, key: str, through: datetime) -> timedelta:
        """How old its newest usage gets before more comes: the second highest of two days."""
        known = self._sources.get(key)
        ages = [age for at, age in known.ages if through - at <= REMEMBERED] if known else []
        return sorted(ages)[-2] if len(ages) >= 2 else timedelta()
