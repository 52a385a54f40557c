"""Which names that were used lately mean another model by what a proposal would bring into force."""

import asyncio
from datetime import datetime, timedelta

from services.api.catalog.access import CatalogAccess
from services.api.catalog.sql import SQL
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.renamed import Shifted, shifted
from spendmeter.pricing.review.finding import LintFinding

SEEN_DAYS = 90
SHOWN_MAX = 50
"""Names that are asked for, and shown: one of them is enough to ask for a confirmation."""


async def seen_names(access: CatalogAccess, change: CheckedChange, now: datetime) -> list[LintFinding]:
    """A finding to confirm for each of them that somebody whose usage the caller may see used in the last
    days."""
    since = (now - timedelta(days=SEEN_DAYS)).replace(second=0, microsecond=0)
    async with access.reading() as connection:
        used = [tuple(row) for row in await connection.fetch(SQL["used"])]
        names = [row[:3] for row in used]
        found = await asyncio.to_thread(shifted, names, change.snapshot.book, change.book, now)
        series = dict(zip(names, (row[3] for row in used), strict=True))
        seen: dict[str, Shifted] = {}
        for each in found[:SHOWN_MAX]:
            ids = series[each.tenant, each.provider, each.sku]
            if await connection.fetchval(SQL["events_count"], [each.tenant], ids, since):
                seen.setdefault(each.says, each)
    message = f", used in the last {SEEN_DAYS} days"
    return [
        LintFinding(rule="meaning", severity="confirm", message=says + message, entries=()) for says in seen
    ]
