"""A series in the book of a test, written as the ledger writes it."""

from __future__ import annotations

from typing import Any

from spendmeter.book import series as book
from spendmeter.contracts.series import Series, series_id


async def add_series(connection: Any, tenant: str, series: Series) -> bytes:
    """Its id."""
    key = series_id(series)
    await book.add_series(connection, {(tenant, key.hex()): series})
    return key
