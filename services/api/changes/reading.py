"""What was used in a period, by groups, out of the rollups; and what units cost, out of the cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

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

SPLIT_MAX = 2_000
"""Combinations of a period that are split: each takes a twentieth of a millisecond."""
GROUPS_MAX = 10_000
"""Read of a period at all."""


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
    most: int,
) -> dict[GroupKey, GroupSum] | None:
    """Every group of the period; None = more than `most`."""
    question = SpendQuestion(
        cursor=SpendCursor(question="", start=span[0], end=span[1]), spent=coverage, zone=zone,
        group_by=dimensions, filters=filters, measure="effective", top=1, edges=span,
        with_series=False, with_usage=True, now=now,
    )  # fmt: skip
    placed = await read_groups(connection, question, closed, 2 * most)  # most pieces of a period are large
    groups = None if placed is None else in_all(placed)
    return None if groups is None or len(groups) > most else groups
