"""Adds to the rollups, in the caller's transaction: the ledger to minutes, corrections to every size."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from spendmeter.book.rollup import RollupKey, RollupSum
from spendmeter.book.sizes import SIZES, bucket_at
from spendmeter.book.units import UNIT_COLUMNS, UNIT_PARTS
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.arrays import array
from spendmeter.platform.sql import load_sql

CORRECTIONS = -1
"""The shard of minutes, and the part of larger rollups, to which corrections add."""

Sums = Mapping[RollupKey, RollupSum]
SQL = load_sql(Path(__file__).with_name("rollups.sql"), UNIT_PARTS)
_encode_usage = msgspec.json.Encoder(decimal_format="number").encode


async def add_to_minutes(connection: Any, shard: int, sums: Sums) -> None:
    """Add each sum to its minute's row of this shard."""
    if sums:
        rows = [_row(key, key[1], row) for key, row in sums.items()]
        await connection.execute(SQL["add_to_minutes"], shard, *_columns(rows))


async def add_corrections(connection: Any, sums: Sums, timelines: Mapping[str, Timeline]) -> None:
    """Add each sum to its minute and to the larger buckets around it, by its tenant's calendar: so there is
    nothing to be made again, and no mark but on the scopes of its hour."""
    await add_to_minutes(connection, CORRECTIONS, sums)
    rows = [
        (*_row(key, bucket_at(size, key[1], timelines[key[0]]).start, row), size)
        for size in SIZES
        for key, row in sums.items()
    ]
    if rows:
        *columns, sizes = _columns(rows)
        buckets, tenants, *_ = columns
        await connection.execute(SQL["add_to_larger"], sizes, *columns)
        await connection.execute(SQL["count_corrections"], tenants, buckets)
        await connection.execute(SQL["mark_scopes"], tenants, buckets, sizes)


def _columns(rows: Iterable[tuple[str | None, ...]]) -> list[str]:
    return [array(column) for column in zip(*rows, strict=True)]


def _row(key: RollupKey, bucket: datetime, row: RollupSum) -> tuple[str | None, ...]:
    tenant, _, series_id, currency = key
    usage = row.usage
    rest = {unit: quantity for unit, quantity in usage.items() if unit not in UNIT_COLUMNS}
    return (
        bucket.isoformat(), tenant, f"\\x{series_id}", currency, str(row.events), str(row.unpriced_events),
        str(row.list), str(row.contracted), str(row.effective), str(row.of_which_provisional),
        _encode_usage(rest).decode() if rest else None,
        *[str(usage[unit]) if unit in usage else None for unit in UNIT_COLUMNS],
    )  # fmt: skip
