"""What was used in a period, by groups, out of the rollups; and what units cost, out of the cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from services.api.database.transactions import TenantConnection
from services.api.http.compared import FromTo
from services.api.spend.closed import ClosedSums, GroupKey, GroupSum
from services.api.spend.groups import in_all, read_groups
from services.api.spend.question import Filters, SpendCursor, SpendQuestion
from spendmeter.book.as_of import Moment
from spendmeter.book.reading import Coverage

SPLIT_MAX = 2_000
"""Combinations of a period that are split: each takes a twentieth of a millisecond."""
GROUPS_MAX = 10_000
"""Read of a period at all."""


async def read_used(
    connection: TenantConnection,
    coverage: Coverage,
    span: FromTo,
    *,
    dimensions: Sequence[str],
    filters: Filters,
    zone: ZoneInfo,
    now: datetime,
    team: str,
    closed: ClosedSums,
    most: int,
    moment: Moment | None = None,
) -> dict[GroupKey, GroupSum] | None:
    """Every group of the period, now or as it stood at a moment; None = more than `most`."""
    question = SpendQuestion(
        cursor=SpendCursor(question="", start=span[0], end=span[1]), spent=coverage, zone=zone,
        group_by=dimensions, filters=filters, measure="effective", top=1, edges=span,
        with_series=False, with_usage=True, now=now, team=team, moment=moment,
    )  # fmt: skip
    placed = await read_groups(connection, question, closed, 2 * most)  # most pieces of a period are large
    groups = None if placed is None else in_all(placed)
    return None if groups is None or len(groups) > most else groups
