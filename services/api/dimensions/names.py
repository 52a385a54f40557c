"""Which names a question may group and filter by: the built-in dimensions, and the tenant's own."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from services.api.database.transactions import TenantConnection
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("dimensions.sql"))


async def known_dimensions(connection: TenantConnection, asked: Iterable[str]) -> Sequence[str]:
    """The built-in ones; where others are asked for too, followed by all that the transaction's tenant ever
    declared, retired ones among them."""
    if set(asked) <= set(DIMENSIONS):
        return DIMENSIONS
    return await every_dimension(connection)


async def every_dimension(connection: TenantConnection) -> Sequence[str]:
    """The built-in ones, and all that the transaction's tenant ever declared."""
    return [*DIMENSIONS, *(row["name"] for row in await connection.fetch(SQL["list"]))]
