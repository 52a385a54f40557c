"""Calendar buckets: minutes to months of a tenant's days, as instants. Pure."""

from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.api.http.problems import invalid
from services.api.http.spans import TenantCalendar, week_of
from spendmeter.book.cover import MinutesDropped
from spendmeter.contracts.periods import add_months, day_start
from spendmeter.contracts.terms import FOR_EVER, Timeline

Bucket = Literal["minute", "hour", "day", "week", "month"]

BUCKETS_MAX = 3_000
_MINUTE = timedelta(minutes=1)


def bucket_edges(start: datetime, end: datetime, bucket: Bucket, calendar: TenantCalendar) -> list[datetime]:
    """The starts of the calendar buckets that [start, end) touches, and the end of the last, in UTC.

    Local days have 23 to 25 hours, and local hours begin at a quarter or half of UTC's in some zones. Raises
    HttpRefusal (422) over BUCKETS_MAX.
    """
    edges = [_bucket_start(start, bucket, calendar)]
    while edges[-1] < end:
        if len(edges) > BUCKETS_MAX:
            raise invalid(
                "bucket", f"at most {BUCKETS_MAX} buckets: ask for a shorter range or larger buckets"
            )
        edges.append(_bucket_end(edges[-1], bucket, calendar.zone))
    return edges


def _bucket_start(at: datetime, bucket: Bucket, calendar: TenantCalendar) -> datetime:
    local = at.astimezone(calendar.zone)
    if bucket == "minute":
        return at
    if bucket == "hour":
        return at - timedelta(minutes=local.minute)
    day: date = local.date()
    first = {"day": day, "week": week_of(day, calendar.week_start), "month": add_months(day, 0)}[bucket]
    return day_start(first, calendar.zone)


def _bucket_end(start: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    if bucket == "minute":
        return start + _MINUTE
    local = start.astimezone(zone)
    if bucket == "hour":
        return start + timedelta(minutes=60 - local.minute)
    day: date = local.date()
    if bucket == "month":
        return day_start(add_months(day, 1), zone)
    return day_start(day + timedelta(days=7 if bucket == "week" else 1), zone)


def too_fine(dropped: MinutesDropped, timeline: Timeline) -> str:
    """Why a question about what is old cannot be answered, and what can be asked instead. Where the tenant
    has moved since, no range over the move has hours that suit both zones."""
    then = timeline.stretch(dropped.hour.start)
    start, end = (f"{at:%H:%MZ}" for at in dropped.hour)
    line = (
        f"minutes are kept since {_stamp(dropped.kept_since)}; what is older is answered by hours of "
        f"{then.terms.zone}, and {_stamp(dropped.edge)} lies within the one from {start} to {end}"
    )
    if then.end == FOR_EVER:
        return f"{line}: let `from`, `to` and each bucket begin with one"
    return (
        f"{line}: the tenant counted by that zone until {_stamp(then.end)}, so ask up to then with "
        f"tz={then.terms.zone}, and from then on by itself"
    )


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}"
