"""What a caller asks for: buckets, groups, filters, cursors; checked before anything is read."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from pydantic import StringConstraints

from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from services.api.spend.spans import Calendar, week_of
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.periods import add_months, day_start
from spendmeter.contracts.series import DIMENSIONS

Bucket = Literal["minute", "hour", "day", "week", "month"]
Measure = Literal["list", "contracted", "effective"]

BUCKETS_MAX = 3_000
FILTER_VALUES_MAX = 100
FILTER = "filter."
_MINUTE = timedelta(minutes=1)
_T = TypeVar("_T")


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A text that the database can hold: without NUL."""


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone. Raises Refused (422) when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("tz", f"{name[:64]!r} is not an IANA time zone such as Europe/Berlin") from None


def bucket_edges(start: datetime, end: datetime, bucket: Bucket, calendar: Calendar) -> list[datetime]:
    """The starts of the calendar buckets that [start, end) touches, and the end of the last, in UTC.

    Local days have 23 to 25 hours, and local hours begin at a quarter or half of UTC's in some zones. Raises
    Refused (422) over BUCKETS_MAX.
    """
    edges = [_bucket_start(start, bucket, calendar)]
    while edges[-1] < end:
        if len(edges) > BUCKETS_MAX:
            raise invalid(
                "bucket", f"at most {BUCKETS_MAX} buckets: ask for a shorter range or larger buckets"
            )
        edges.append(_bucket_end(edges[-1], bucket, calendar.zone))
    return edges


def _bucket_start(at: datetime, bucket: Bucket, calendar: Calendar) -> datetime:
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


def dimensions_of(group_by: str) -> list[str]:
    """The dimensions of "team,sku". Raises Refused (422) naming the list."""
    names = [name.strip() for name in group_by.split(",") if name.strip()]
    for name in names:
        _check_dimension("group_by", name)
    if len(set(names)) < len(names):
        raise invalid("group_by", "names a dimension twice")
    return names


def filters_of(parameters: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, list[str]]:
    """Dimension to the values of which an event must have one, from `filter.team=a&filter.team=b`.

    `known` are the route's other parameters: anything else is a mistake, and answering the question without
    it would answer another question. Labels come out in the form that they are booked in, however they were
    typed. Raises Refused (422).
    """
    filters: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in parameters:
        if "\0" in value:
            raise invalid(name, "holds a NUL character")
        if name.startswith(FILTER):
            dimension = name.removeprefix(FILTER)
            _check_dimension(name, dimension)
            filters[dimension].append(as_booked(dimension, value))
        elif name not in known and name != PRETTY:
            raise invalid(
                name[:64], f"is not a parameter here; these are: {', '.join(known)}, {FILTER}DIMENSION"
            )
    if any(len(values) > FILTER_VALUES_MAX for values in filters.values()):
        raise invalid("filter", f"at most {FILTER_VALUES_MAX} values a dimension")
    return dict(filters)


def _check_dimension(field: str, name: str) -> None:
    if name not in DIMENSIONS:
        raise invalid(field[:64], f"{name[:64]!r} is not one of {', '.join(DIMENSIONS)}")


def digest_of(parameters: Iterable[tuple[str, str]], leave_out: Iterable[str]) -> str:
    """Tells one question from another: a cursor belongs to the question that it was given for."""
    kept = sorted((name, value) for name, value in parameters if name not in leave_out)
    return blake2b(msgspec.json.encode(kept), digest_size=6).hexdigest()


def encode_cursor(place: object) -> str:
    """An opaque text for where the next page begins."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(cursor: str, shape: type[_T]) -> _T:
    """What `encode_cursor` was given. Raises Refused (422)."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise invalid("cursor", "is not one that this route gave out") from None
