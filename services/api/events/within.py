"""The span that a list of events is about."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection
from services.api.http.spans import SpanQuestion, TenantCalendar, checked_range, span_of, zone_of

EVENTS_MAX = 200
RANGE_DAYS_MAX = 100
DEFAULT_RANGE = timedelta(days=1)

Limit = Annotated[int, Query(ge=1, le=EVENTS_MAX)]


async def read_within(
    connection: TenantConnection, tenant: str, span: SpanQuestion
) -> tuple[datetime, datetime]:
    """[from, to) in UTC; without an end, until in an hour: an event may be dated so far ahead. Without a
    start, a day before the end. Days are the tenant's, and of UTC for nobody's ('')."""
    now = datetime.now(UTC)
    if tenant:
        calendar = (await read_tenant(connection, tenant)).calendar(span.tz)
    else:
        calendar = TenantCalendar(zone=zone_of(span.tz or "UTC"))
    start, end = span_of(span, calendar, now)
    end = now + timedelta(hours=1) if end is None else end
    if start is None:
        start = end - DEFAULT_RANGE if end.year > 1 else end  # which checked_range refuses
    return checked_range(start, end, RANGE_DAYS_MAX)
