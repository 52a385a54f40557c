"""Assets in Postgres: as rows, and as what `spendmeter/pricing/accruals` works with."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.api.database.transactions import TenantConnection
from services.api.http.problems import not_found
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.accruals.asset import Asset, AssetRevision

SQL = load_sql(Path(__file__).with_name("assets.sql"))


@dataclass(frozen=True, kw_only=True)
class KnownAsset:
    """All that is known of one, but for what the book says."""

    row: Any
    asset: Asset
    activity: Sequence[Any]
    """Of the last day of which anybody has said how many seats were used."""
    timesheets: Sequence[Any]


async def with_revisions(connection: TenantConnection, tenant: str, rows: Sequence[Any]) -> list[Asset]:
    """The assets of these rows."""
    said = defaultdict[str, list[AssetRevision]](list)
    for row in await connection.fetch(SQL["revisions"], [row["asset_id"] for row in rows]):
        said[row["asset_id"]].append(_revision(row))
    return [_asset(tenant, row, said[row["asset_id"]]) for row in rows]


async def read_asset(
    connection: TenantConnection, tenant: str, id: str, *, hold: bool = False
) -> tuple[Any, Asset]:
    """The row and the asset. Raises HttpRefusal (404)."""
    row = await connection.fetchrow(SQL["held" if hold else "asset"], id)
    if row is None:
        raise not_found(f"there is no asset {id[:64]!r}")
    (asset,) = await with_revisions(connection, tenant, [row])
    return row, asset


async def read_known(connection: TenantConnection, tenant: str, id: str) -> KnownAsset:
    """Raises HttpRefusal (404)."""
    row, asset = await read_asset(connection, tenant, id)
    return KnownAsset(
        row=row,
        asset=asset,
        activity=await connection.fetch(SQL["activity"], id, 1),
        timesheets=await connection.fetch(SQL["timesheets"], id),
    )


async def add_revision(connection: TenantConnection, asset: Asset, revision: AssetRevision) -> None:
    """Write it down. The database says when it was recorded."""
    await connection.execute(
        SQL["revise"],
        asset.tenant,
        asset.id,
        revision.number,
        revision.effective_from,
        revision.first_hour,
        revision.change,
        revision.author,
        revision.reason,
    )


def revised(asset: Asset, revision: AssetRevision) -> Asset:
    """With one more thing said of it."""
    return replace(asset, revisions=(*asset.revisions, revision))


def _asset(tenant: str, row: Any, revisions: Iterable[AssetRevision]) -> Asset:
    return Asset(
        tenant=tenant,
        id=row["asset_id"],
        kind=row["kind"],
        currency=row["currency"],
        zone=ZoneInfo(row["zone"]),
        starts_on=row["starts_on"],
        accrue_from=row["accrue_from"],
        revisions=tuple(revisions),
    )


def _revision(row: Any) -> AssetRevision:
    return AssetRevision(
        number=row["revision"],
        effective_from=row["effective_from"],
        first_hour=row["first_hour"],
        recorded_at=row["recorded_at"],
        change=row["change"],
        author=row["author"],
        reason=row["reason"],
    )
