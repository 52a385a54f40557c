"""Into which accounting period a booking goes, and what is written where that is not the one of its day.

A closing shuts its period and all before it. What comes for one of these is booked with its own time, in the
period after the last that is shut. Whoever books reads which that is in a statement after the row lock with
which its transaction begins: so a closing that it does not see waits for it (docs/decisions/period-close.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from spendmeter.book.adding import CORRECTIONS
from spendmeter.book.rollup import RollupSum, RollupSums
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.periods import add_months
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("closings.sql"))
_encode = msgspec.json.Encoder(decimal_format="number").encode

Shut = Mapping[str, date | None]
"""Of each tenant that ever closed a period the last that is shut; None = all were reopened."""


async def read_shut(connection: Any, tenants: Iterable[str]) -> Shut:
    """Of these tenants; those that never closed a period are left out."""
    return dict(await connection.fetch(SQL["shut"], sorted(set(tenants))))


def open_period(period: date, last_shut: date | None) -> date:
    """Where a booking goes that belongs to `period`: there, or into the first one that is open after it."""
    return period if last_shut is None or period > last_shut else add_months(last_shut, 1)


async def carry(
    connection: Any,
    partition: int,
    next_offset: int,
    sums: Mapping[date, RollupSums],
    timelines: Mapping[str, Timeline],
) -> None:
    """Write what was booked in other accounting periods (the keys) than those of its days."""
    days: dict[tuple[str, date, datetime, str, str], RollupSum] = defaultdict(RollupSum)
    for period, rows in sums.items():
        for (tenant, minute, series_id, currency), row in rows.items():
            day = bucket_at("day", minute, timelines[tenant]).start
            _add(days[tenant, period, day, series_id, currency], row)
    if not days:
        return
    corrects = partition == CORRECTIONS
    written = [
        (
            tenant, period, day, bytes.fromhex(series_id), currency,
            row.events, row.unpriced_events, row.list, row.contracted, row.effective,
            row.of_which_provisional, row.effective if corrects else 0, _encode(row.usage).decode(),
        )
        for (tenant, period, day, series_id, currency), row in sorted(days.items(), key=lambda each: each[0])
    ]  # fmt: skip
    await connection.execute(SQL["carry"], partition, next_offset, *map(list, zip(*written, strict=True)))


def _add(whole: RollupSum, row: RollupSum) -> None:
    whole.events += row.events
    whole.unpriced_events += row.unpriced_events
    for name in ("list", "contracted", "effective", "of_which_provisional"):
        setattr(whole, name, EXACT.add(getattr(whole, name), getattr(row, name)))
    for unit, quantity in row.usage.items():
        whole.usage[unit] = EXACT.add(whole.usage.get(unit, 0), quantity)
