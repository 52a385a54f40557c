"""What is no call and costs money all the same: registered here, accrued by the hour, booked as usage."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from services.api.access.auth import Governing, Reader
from services.api.assets.figures import answer_of, events_of, report_of
from services.api.assets.models import (
    ID_PATTERN,
    AssetAnswer,
    AssetList,
    AssetPatch,
    AssetReport,
    BookedOf,
    NewAsset,
)
from services.api.assets.registering import (
    another_one,
    check_asset,
    new_asset,
    new_revision,
    says_the_same,
)
from services.api.assets.store import (
    SQL,
    KnownAsset,
    add_revision,
    read_asset,
    read_known,
    revised,
    with_revisions,
)
from services.api.corrections.asking import author_of
from services.api.database.tenant import read_tenant
from services.api.database.transactions import Database, TenantConnection, database_of
from services.api.dimensions.names import SQL as DIMENSIONS
from services.api.events.within import Limit
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, too_many
from services.api.http.representation import Negotiated
from spendmeter.contracts.events import Instant
from spendmeter.pricing.accruals.asset import Asset, AssetKind, AssetRevision, standings
from spendmeter.pricing.accruals.schedule import over_at
from spendmeter.pricing.accruals.timesheets import terms_of

PATH = "/v1/assets"
ASSETS_MAX = 50_000

router = APIRouter(tags=["assets"], route_class=Negotiated)
AssetPath = Annotated[str, Path(pattern=ID_PATTERN)]
_UNKNOWN = "no such asset"
_NOT_NEW = {200: "nothing was registered: it was a dry run, or is registered so already"}


@router.post(PATH, status_code=201, responses=answers("asset", status=201, also=_NOT_NEW))
async def register_asset(
    request: Request,
    response: Response,
    caller: Governing,
    body: NewAsset,
    dry_run: Annotated[bool, Query(description="check it, and register nothing")] = False,
) -> AssetAnswer:
    """Register hardware, seats, work or a commitment: it accrues by the hour from its first day on, and is
    booked like usage. The same again changes nothing, and is answered 200."""
    now = datetime.now(UTC)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        known = await connection.fetchrow(SQL["asset"], body.id)
        asset = new_asset(
            body,
            tenant=caller.tenant,
            currency=tenant.currency,
            zone=tenant.zone,
            author=await author_of(connection, caller),
            now=known["registered_at"] if known else now,
        )
        if known is None:
            check_asset(asset, await own_labels(connection), now)
            if await connection.fetchval(SQL["count"]) >= ASSETS_MAX:
                raise too_many("assets", ASSETS_MAX)
            if dry_run:
                response.status_code = 200
                return AssetAnswer(**answer_of(_as_row(asset, now), asset, now))
            await _register(connection, asset)
        row, registered = await read_asset(connection, caller.tenant, body.id)
    if known is not None:
        if not says_the_same(registered, asset):
            raise another_one(body.id)
        response.status_code = 200
    response.headers["Location"] = f"{PATH}/{body.id}"
    return AssetAnswer(**answer_of(row, registered, now))


@router.get(PATH, responses=answers("assets"))
async def list_assets(
    request: Request, caller: Reader, kind: AssetKind | None = None, limit: Limit = 50, cursor: str = ""
) -> AssetList:
    """Every asset, oldest first, with what it has come to."""
    now = datetime.now(UTC)
    after = decode_cursor(cursor, tuple[Instant, str]) if cursor else (datetime(2000, 1, 1, tzinfo=UTC), "")
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["assets"], *after, kind or "", limit + 1)
        assets = await with_revisions(connection, caller.tenant, rows)
    pairs = list(zip(rows, assets, strict=True))
    said = await asyncio.to_thread(lambda: [answer_of(*pair, now) for pair in pairs])
    found, more = page(AssetAnswer, said, limit, lambda asset: (asset["registered_at"], asset["id"]))
    accruing = bool(request.app.state.accrual_door.there)
    return AssetList(assets=found, accruing=accruing, next_cursor=more)


@router.get(f"{PATH}/{{id}}", responses=answers("asset_report", missing=_UNKNOWN))
async def get_asset(request: Request, caller: Reader, id: AssetPath) -> AssetReport:
    """One asset: what has accrued and of whom, what is still to come, what the book says of it, and all that
    was ever said of it."""
    database = database_of(request)
    async with database.reading(caller.tenant) as connection:
        known = await read_known(connection, caller.tenant, id)
    return await _report(database, known)


@router.patch(f"{PATH}/{{id}}", responses=answers("asset_report", missing=_UNKNOWN))
async def change_asset(request: Request, caller: Governing, id: AssetPath, body: AssetPatch) -> AssetReport:
    """Reassign it, change what it costs, or retire it: from the next hour on, or from when it says. What was
    booked of hours before is amended; nothing that was said is lost."""
    now, database = datetime.now(UTC), database_of(request)
    async with database.writing(caller.tenant, by=caller.by) as connection:
        row, asset = await read_asset(connection, caller.tenant, id, hold=True)
        revision = new_revision(
            asset,
            body,
            claimed_until=row["claimed_until"],
            author=await author_of(connection, caller),
            now=now,
        )
        _refuse_if_over(asset, revision.effective_from)
        changed = revised(asset, revision)
        check_asset(changed, await own_labels(connection), now)
        await _refuse_hours_twice(connection, changed, revision)
        await add_revision(connection, asset, revision)
        await connection.execute(SQL["revised"], id, revision.number)
        known = await read_known(connection, caller.tenant, id)
    return await _report(database, known)


async def own_labels(connection: TenantConnection) -> frozenset[str]:
    """The tenant's own dimensions, of which labels are kept."""
    return frozenset(row["name"] for row in await connection.fetch(DIMENSIONS["list"]) if row["active"])


def _refuse_if_over(asset: Asset, since: datetime) -> None:
    over = over_at(asset, standings(asset.revisions))
    if over is not None and since >= over:
        raise HttpRefusal(409, "Too late", f"asset {asset.id} is over since {over.isoformat()}")


async def _refuse_hours_twice(connection: TenantConnection, asset: Asset, revision: AssetRevision) -> None:
    """Raises HttpRefusal (422) where hours of days that somebody wrote down would accrue by the week, too."""
    if asset.kind == "labour" and "hours_per_week" in revision.change:
        days = [row["day"] for row in await connection.fetch(SQL["timesheets"], asset.id)]
        if any(terms_of(asset, day).hours_per_week for day in days):
            reason = f"of {max(days)} hours were written down: state it from a later day on"
            raise invalid("hours_per_week", reason)


async def _register(connection: TenantConnection, asset: Asset) -> None:
    """Once: of two who register it at the same moment, the second changes nothing."""
    created = await connection.fetchval(
        SQL["register"],
        asset.tenant,
        asset.id,
        asset.kind,
        asset.currency,
        asset.zone.key,
        asset.starts_on,
        asset.accrue_from,
        asset.hour_from(asset.accrue_from),
    )
    if created is None:
        raise another_one(asset.id)
    await add_revision(connection, asset, asset.revisions[0])


def _as_row(asset: Asset, now: datetime) -> dict[str, Any]:
    """Of one that is not registered."""
    return {"sent_until": asset.hour_from(asset.accrue_from), "trouble": "", "registered_at": now}


async def _report(database: Database, known: KnownAsset) -> AssetReport:
    """Worked out while no transaction waits for it."""
    now = datetime.now(UTC)
    fields, events = await asyncio.to_thread(lambda: (report_of(known, now), events_of(known)))
    booked = None
    if events is not None:
        async with database.reading(known.asset.tenant) as connection:
            booked = [BookedOf(**row) for row in await connection.fetch(SQL["booked"], *events)]
    return AssetReport(**fields, booked=booked)
