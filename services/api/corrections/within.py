"""The span that a list of corrections or jobs is about."""

from datetime import UTC, datetime, timedelta

from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection
from services.api.http.spans import RANGE_DAYS_MAX, SpanQuestion, checked_range, span_of


async def asked_within(
    connection: TenantConnection, tenant: str, span: SpanQuestion
) -> tuple[datetime, datetime]:
    """[from, to) in UTC; without an end until now, without a start RANGE_DAYS_MAX before the end."""
    now = datetime.now(UTC)
    start, end = span_of(span, (await read_tenant(connection, tenant)).calendar(span.tz), now)
    end = end or now + timedelta(hours=1)  # another process's clock may be ahead
    return checked_range(start or end - timedelta(days=RANGE_DAYS_MAX), end)
