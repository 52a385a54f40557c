"""The tenant that is asked for: its name, and in what its amounts and days are counted."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from services.api.database.transactions import Database, TenantConnection
from services.api.http.problems import not_found
from services.api.http.spans import TenantCalendar, zone_of
from spendmeter.contracts.terms import Terms, Timeline, timeline_of
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("tenant.sql"))


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """What a tenant's amounts and days are in: `terms` now, `timeline` at any time."""

    tenant: str
    name: str
    terms: Terms
    timeline: Timeline

    @property
    def currency(self) -> str:
        return self.terms.currency

    @property
    def zone(self) -> ZoneInfo:
        return self.terms.zone

    def calendar(self, tz: str | None = None) -> TenantCalendar:
        """The tenant's days, weeks and quarters now; with `tz` on another clock. Raises HttpRefusal (422)."""
        return TenantCalendar(
            zone=zone_of(tz) if tz else self.zone,
            week_start=self.terms.first_weekday - 1,
            fiscal_start_month=self.terms.fiscal_start_month,
        )


async def read_tenant(connection: TenantConnection, tenant: str) -> Tenant:
    """Raises HttpRefusal (404) when there is none of that name."""
    rows = await connection.fetch(SQL["tenant"], tenant)
    if not rows:
        raise not_found(f"there is no tenant {tenant!r}")
    timeline = timeline_of(rows)
    now = timeline.at(datetime.now(UTC))
    return Tenant(tenant=tenant, name=rows[0]["name"], terms=now, timeline=timeline)


async def all_tenants(database: Database) -> list[str]:
    """The names of all tenants."""
    async with database.reading(OPERATOR) as connection:
        return [row["tenant"] for row in await connection.fetch(SQL["tenants"])]
