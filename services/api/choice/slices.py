"""What a slice of a tenant's traffic used of models and how its calls went: where it is read.

Sums by model answer what is asked of models; any other filter is one of series, and their cells are added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from services.api.choice.traffic import CallSums, Row, call_sums
from services.api.database.transactions import TenantConnection
from spendmeter.platform.sql import load_sql

ROWS_MAX = 20_000
SQL = load_sql(Path(__file__).with_name("choice.sql"), {"rows_max": str(ROWS_MAX)})
OF_MODELS = {"provider", "sku"}


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Of a tenant's traffic in the UTC days [first, beyond), within one transaction."""

    connection: TenantConnection
    days: tuple[date, date]
    which: str
    """Ends the names of the statements that read it."""
    of: tuple[Any, ...]
    """What they are asked of."""

    async def used(self, what: Literal["traffic", "daily"]) -> list[Row] | None:
        """By way of serving, unit and price, in this order, day by day where it is asked so; None = more than
        ROWS_MAX."""
        rows = await self.connection.fetch(SQL[what + self.which], *self.days, *self.of)
        keys = 9 if what == "daily" else 8
        return sorted(rows, key=lambda row: tuple(row)[:keys]) if len(rows) < ROWS_MAX else None

    async def calls(self) -> dict[tuple[str, str], CallSums]:
        """By model."""
        return call_sums(await self.connection.fetch(SQL["calls" + self.which], *self.days, *self.of))


async def slice_of(
    connection: TenantConnection, filters: Mapping[str, list[str]], days: tuple[date, date]
) -> Slice:
    """What a filter lets through."""
    await connection.execute(SQL["by_hash"])
    if not filters.keys() - OF_MODELS:
        of = (filters.get("provider"), filters.get("sku"))
        return Slice(connection=connection, days=days, which="", of=of)
    rows = await connection.fetch(SQL["wanted"], filters)
    columns = tuple([row[name] for row in rows] for name in ("series_id", "provider", "sku"))
    return Slice(connection=connection, days=days, which="_of_series", of=columns)
