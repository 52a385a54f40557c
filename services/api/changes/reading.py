"""What was used in a period, by groups, out of the rollups; and what units cost, out of the cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from services.api.changes.uses import UnitWorth
from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.compared import FromTo
from services.api.http.problems import invalid
from services.api.spend.buckets import too_fine
from services.api.spend.closed import ClosedSums, GroupKey, GroupSum
from services.api.spend.groups import in_all, read_groups
from services.api.spend.question import Filters, SpendCursor, SpendQuestion
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import Coverage, spent_in
from spendmeter.platform.sql import load_sql

GROUPS_MAX = 10_000
"""Read of a period: of more combinations larger uses are told apart."""

SQL = load_sql(Path(__file__).with_name("changes.sql"))


async def cover_period(connection: TenantConnection, tenant: Tenant, span: FromTo) -> Coverage:
    """What to read of it. Raises HttpRefusal (422) where hours are too coarse, and minutes are no longer
    kept."""
    try:
        return await spent_in(connection, tenant.tenant, span, tenant.timeline)
    except MinutesDropped as dropped:
        raise invalid("from", too_fine(dropped, tenant.timeline)) from dropped


async def cover_past(connection: TenantConnection, tenant: Tenant, span: FromTo) -> tuple[FromTo, Coverage]:
    """The same of what a period is compared with: where minutes are no longer kept, an edge within an hour is
    the hour's start. As the answer says which span it is of, and how long, nothing is compared that is
    not."""
    for _ in range(2):
        try:
            return span, await spent_in(connection, tenant.tenant, span, tenant.timeline)
        except MinutesDropped as dropped:
            hour = dropped.hour
            first, beyond = (hour.start if hour.start < at < hour.end else at for at in span)
            if first >= beyond:
                raise invalid("before_from", too_fine(dropped, tenant.timeline)) from dropped
            span = first, beyond
    return span, await cover_period(connection, tenant, span)


async def read_used(
    connection: TenantConnection,
    coverage: Coverage,
    span: FromTo,
    *,
    dimensions: Sequence[str],
    filters: Filters,
    zone: ZoneInfo,
    now: datetime,
    closed: ClosedSums,
) -> dict[GroupKey, GroupSum] | None:
    """Every group of the period; None = more than GROUPS_MAX."""
    question = SpendQuestion(
        cursor=SpendCursor(question="", start=span[0], end=span[1]), spent=coverage, zone=zone,
        group_by=dimensions, filters=filters, measure="effective", top=1, edges=span,
        with_series=False, with_usage=True, now=now,
    )  # fmt: skip
    placed = await read_groups(connection, question, closed, GROUPS_MAX)
    return None if placed is None else in_all(placed)


async def read_unit_prices(
    connection: TenantConnection, tenant: str, before: FromTo, now: FromTo
) -> tuple[UnitWorth, UnitWorth]:
    """What units came to before, and now: on the days (UTC) that the periods touch."""
    rows = await connection.fetch(SQL["unit_prices"], tenant, *_days(before), *_days(now))
    return _prices(rows, "before"), _prices(rows, "now")


def _prices(rows: Sequence[Mapping[str, object]], side: str) -> UnitWorth:
    prices: defaultdict[tuple[str, str, str], dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for row in rows:
        amount, quantity = row[f"effective_{side}"], row[f"quantity_{side}"]
        if isinstance(amount, Decimal) and isinstance(quantity, Decimal) and quantity > 0:
            sku = str(row["currency"]), str(row["provider"]), str(row["sku"])
            prices[sku][str(row["unit"])] = amount, quantity
    return prices


def _days(span: FromTo) -> tuple[date, date]:
    first, last = span[0].astimezone(UTC).date(), (span[1] - timedelta(microseconds=1)).astimezone(UTC).date()
    return first, last + timedelta(days=1)
