"""Writes down what series stand for, in the caller's transaction, and reads it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from spendmeter.contracts.series import Series
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("series.sql"))

SeriesKey = tuple[str, str]
"""(tenant, series id in hex)."""


async def add_series(connection: Any, series: Mapping[SeriesKey, Series]) -> None:
    """Those that are not in the book yet; what is there stays."""
    rows = [
        (tenant, bytes.fromhex(series_id), msgspec.json.encode(one.columns()).decode())
        for (tenant, series_id), one in sorted(series.items(), key=lambda item: item[0])
    ]
    if rows:
        await connection.executemany(SQL["insert_series"], rows)


async def dimensions_of(connection: Any, tenant: str, ids: Sequence[bytes]) -> dict[bytes, dict[str, str]]:
    """The dimensions of these series of the tenant, by id: those that have a value. `connection` (or a pool)
    decodes jsonb."""
    rows = await connection.fetch(SQL["dimensions_of"], tenant, ids)
    return {row["series_id"]: row["dimensions"] for row in rows}
