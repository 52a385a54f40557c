"""The label maps in force: a snapshot, read every few seconds, as keys are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from services.reservations.turns import AWAY, Pool
from spendmeter.contracts.label_maps import NO_MAPS, TenantMaps
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("maps.sql"))
REFRESH_S = 5.0


class LevelMaps:
    """Run `keep_fresh` beside the server."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._of: Mapping[str, TenantMaps] = {}

    def of(self, tenant: str) -> TenantMaps:
        """What the tenant has set."""
        return self._of.get(tenant, NO_MAPS)

    async def keep_fresh(self) -> None:
        """For ever; while Postgres is away the last maps stay."""
        await keep_doing(self.refresh, "label maps not read", every_s=REFRESH_S, away=AWAY)

    async def refresh(self) -> None:
        """Read those that say anything of levels."""
        rows = await self._pool.fetch(SQL["maps"])
        self._of = {row["tenant"]: msgspec.convert(row["maps"], TenantMaps) for row in rows}
