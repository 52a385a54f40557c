"""A book whose minutes are dropped, whatever day it is: the ledger drops none that is younger than 31 days."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from spendmeter.book.units import UNIT_PARTS

_FREEZE = """
INSERT INTO rollups (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units})
SELECT tenant, size, date_trunc(size, bucket, 'UTC'), series_id, -2, currency, sum(events), sum(unpriced_events),
    sum(list), sum(contracted), sum(effective), sum(of_which_provisional),
    usage_total(usage) FILTER (WHERE usage IS NOT NULL), {unit_sums}
FROM rollups_minute, unnest(ARRAY['hour', 'day']) AS size WHERE shard >= 0 AND bucket < $1
GROUP BY 1, 2, 3, 4, 6
"""


async def drop_minutes(owner: asyncpg.Connection, until: datetime) -> None:
    """As the ledger does of tenants whose days are those of UTC; `until` begins one of them."""
    freeze = _FREEZE
    for name in ("units", "unit_sums"):
        freeze = freeze.replace(f"{{{name}}}", UNIT_PARTS[name])
    async with owner.transaction():
        await owner.execute(
            "DELETE FROM rollups WHERE bucket < $1 AND (part = 0 OR size = 'five_minutes')", until
        )
        await owner.execute(freeze, until)
        await owner.execute("DELETE FROM rollups_minute WHERE bucket < $1", until)
        await owner.execute("DELETE FROM touched WHERE bucket < $1", until)
        await owner.execute("INSERT INTO minutes_kept (since) VALUES ($1)", until)
