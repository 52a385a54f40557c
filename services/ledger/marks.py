"""Which larger buckets a booking touches: they are made again (roller.py). Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from spendmeter.book.rollup import RollupKey
from spendmeter.book.sizes import five_minutes_of

LATE = timedelta(minutes=10)
"""What is booked so long after its minute comes alone, and not with all that the tenant does."""


def marks_of(sums: Iterable[RollupKey], now: datetime) -> set[tuple[str, datetime, str | None]]:
    """The five minutes that are to be made again: (tenant, start, series id in hex; None = any series).

    Of what is late the series is named: an old bucket is made again for it alone, and not for the hundreds of
    series that it has."""
    found = set()
    for tenant, minute, series_id, _ in sums:
        found.add((tenant, five_minutes_of(minute), series_id if now - minute > LATE else None))
    return found
