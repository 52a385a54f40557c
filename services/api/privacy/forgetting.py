"""How long pseudonyms are kept, and their end: with a month's key nobody can be looked for in it any more."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from services.api.database.tenant import all_tenants
from services.api.database.transactions import ITSELF, Database, TenantConnection
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("privacy.sql"))
FORGET_INTERVAL_S = 6 * 3600.0
PSEUDONYMS_MONTHS = 13
"""Unless the tenant says otherwise: a year, and the month that it is compared with."""


async def keep_forgetting(database: Database) -> None:
    """Delete what is kept no longer, of every tenant, for ever."""

    async def forget() -> None:
        await forget_old(database, datetime.now(UTC).date())

    await keep_doing(
        forget, "old pseudonyms not deleted yet", every_s=FORGET_INTERVAL_S, away=CONNECTION_ERRORS
    )


async def forget_old(database: Database, today: date) -> None:
    """Once: pseudonyms and keys of months before those that each tenant keeps."""
    for tenant in await all_tenants(database):
        async with database.writing(tenant, by=ITSELF, unasked=True) as connection:
            kept = (await retention_of(connection))["pseudonyms_months"]
            since = first_month(today, kept)
            await connection.execute(SQL["forget_pseudonyms"], since)
            await connection.execute(SQL["forget_keys"], since)


def first_month(today: date, months: int) -> date:
    """The first of so many months, of which the last is today's."""
    year, month = divmod(today.year * 12 + today.month - months, 12)
    return date(year, month + 1, 1)


async def retention_of(connection: TenantConnection) -> dict[str, Any]:
    """What holds for the tenant that is acted for: months, and by whom, why and since when."""
    row = await connection.fetchrow(SQL["retention"])
    return dict(row) if row else {"pseudonyms_months": PSEUDONYMS_MONTHS}
