"""Reads how a tenant's accounting periods stand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from pathlib import Path

from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.problems import conflict
from services.api.periods.models import PeriodSum
from services.api.periods.standing import PeriodBooks, closings_of
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("periods.sql"))
CLOSINGS_MAX = 1_000


async def read_periods(
    connection: TenantConnection, tenant: Tenant, now: datetime, since: date = date.min
) -> PeriodBooks:
    """At `now`; what closings and corrections came to, of periods from `since` on."""
    first_at = await connection.fetchval(SQL["first_booked"], tenant.tenant)
    shut = await connection.fetchrow(SQL["last_shut"])
    carried: dict[date, list[PeriodSum]] = defaultdict(list)
    for row in map(dict, await connection.fetch(SQL["carried_in"], since)):
        carried[row.pop("period")].append(PeriodSum(**row))
    return PeriodBooks(
        timeline=tenant.timeline,
        now=now,
        first=None if first_at is None else tenant.timeline.month(first_at),
        last_shut=shut and shut["period"],
        is_closed=bool(shut and shut["is_closed"]),
        closings=closings_of(
            await connection.fetch(SQL["closings"], since, CLOSINGS_MAX),
            await connection.fetch(SQL["sums"], since),
        ),
        carried_in=carried,
    )


async def read_closed_at(connection: TenantConnection, period: date, at: datetime) -> datetime | None:
    """Since when a period was closed at an instant; None = it was open."""
    found: datetime | None = await connection.fetchval(SQL["closed_at"], period, at)
    return found


async def refuse_if_shut(connection: TenantConnection, day: date, what: str) -> None:
    """In a transaction that holds the tenant's periods. Raises HttpRefusal (409) where the day's period is
    closed."""
    shut = await connection.fetchrow(SQL["last_shut"])
    if shut is not None and (day.year, day.month) <= (shut["period"].year, shut["period"].month):
        raise conflict(
            f"{day} lies in a period that is closed, and {what} would change what was told of it: everything "
            f"up to {shut['period']:%Y-%m} is closed"
        )
