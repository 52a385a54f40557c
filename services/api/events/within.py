"""The span that a list is about: of events, or of what was asked to be done with them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection
from services.api.http.spans import (
    RANGE_DAYS_MAX,
    YEARS,
    SpanQuestion,
    TenantCalendar,
    checked_range,
    span_of,
    zone_of,
)

EVENTS_MAX = 200
EVENT_DAYS_MAX = 100

Limit = Annotated[int, Query(ge=1, le=EVENTS_MAX)]


async def read_within(
    connection: TenantConnection, tenant: str, span: SpanQuestion, now: datetime | None = None
) -> tuple[datetime, datetime]:
    """[from, to) in UTC; without an end, until in an hour: an event may be dated so far ahead. Without a
    start, a day before the end. `now`: None = by the clock. Days are as `calendar_of` says."""
    return await _within(connection, tenant, span, now, days=1, days_max=EVENT_DAYS_MAX)


async def asked_within(
    connection: TenantConnection, tenant: str, span: SpanQuestion
) -> tuple[datetime, datetime]:
    """The same of corrections and jobs, of which there are few: without a start, RANGE_DAYS_MAX before the
    end. Another process's clock may be ahead as an event may."""
    return await _within(connection, tenant, span, None, days=RANGE_DAYS_MAX, days_max=RANGE_DAYS_MAX)


async def calendar_of(connection: TenantConnection, tenant: str, span: SpanQuestion) -> TenantCalendar:
    """Days are the tenant's, and of UTC for nobody's ('')."""
    if tenant:
        return (await read_tenant(connection, tenant)).calendar(span.tz)
    return TenantCalendar(zone=zone_of(span.tz or "UTC"))


async def _within(
    connection: TenantConnection,
    tenant: str,
    span: SpanQuestion,
    now: datetime | None,
    *,
    days: int,
    days_max: int,
) -> tuple[datetime, datetime]:
    now = now or datetime.now(UTC)
    calendar = await calendar_of(connection, tenant, span)
    start, end = span_of(span, calendar, now)
    end = now + timedelta(hours=1) if end is None else end
    if start is None:
        start = end - timedelta(days=days) if end.year >= YEARS[0] else end  # which checked_range refuses
    return checked_range(start, end, days_max)
