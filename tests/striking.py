"""When a test may begin: not just before an hour or a day (UTC) is over, for one that says `this hour` or `today` twice,
as by what it books and by what it asks, would mean two of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

BEFORE_AN_HOUR = timedelta(seconds=5)
BEFORE_A_DAY = timedelta(seconds=30)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def seconds_until_it_has_struck(now: datetime) -> float:
    """0.0 = there is room, or how long until the clock has struck."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    to_the_hour, to_the_day = HOUR - (now - midnight) % HOUR, DAY - (now - midnight)
    if to_the_hour > BEFORE_AN_HOUR and to_the_day > BEFORE_A_DAY:
        return 0.0
    return to_the_hour.total_seconds()


def let_it_strike() -> None:
    """A run of an hour waits some seconds for this, once; one that starts in an evening, half a minute."""
    while seconds := seconds_until_it_has_struck(datetime.now(UTC)):
        time.sleep(seconds)
