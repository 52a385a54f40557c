"""What is no call and costs money all the same: registered here, accrued by the hour, booked as usage."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from services.api.access.auth import Reader, Writer
from services.api.assets.figures import accrued_by_label, answer_of, seat_use
from services.api.assets.models import (
    ID_PATTERN,
    AssetAnswer,
    AssetList,
    AssetPatch,
    AssetReport,
    BookedOf,
    NewAsset,
    SaidOfAsset,
)
from services.api.assets.registering import (
    another_one,
    check_asset,
    new_asset,
    new_revision,
    says_the_same,
)
from services.api.assets.store import SQL, add_revision, read_asset, revised, with_revisions
from services.api.corrections.asking import author_of
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import SQL as DIMENSIONS
from services.api.events.within import Limit
from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, too_many
from services.api.http.representation import Negotiated
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Instant
from spendmeter.pricing.accruals.asset import Asset, AssetKind, AssetRevision, standings
from spendmeter.pricing.accruals.hours import AssetHours, hours_within
from spendmeter.pricing.accruals.schedule import over_at
from spendmeter.pricing.accruals.sent import at, event_id, slots_of
from spendmeter.pricing.accruals.timesheets import terms_of, timesheet_id, worked_at

PATH = "/v1/assets"
ASSETS_MAX = 50_000
LOOKED_UP_MAX = 60_000
"""Events of one asset that are looked up in the book: three years of hours, of two parts each."""
ACTIVITY_DAYS = 1

router = APIRouter(tags=["assets"], route_class=Negotiated)
AssetPath = Annotated[str, Path(pattern=ID_PATTERN)]
_UNKNOWN = "no such asset"
_NOT_NEW = {200: "nothing was registered: it was a dry run, or is registered so already"}


@router.post(PATH, status_code=201, responses=answers("asset", status=201, also=_NOT_NEW))
async def register_asset(
    request: Request,
    response: Response,
    caller: Writer,
    body: NewAsset,
    dry_run: Annotated[bool, Query(description="check it, and register nothing")] = False,
) -> AssetAnswer:
    """Register hardware, seats, work or a commitment: it accrues by the hour from its first day on, and is
    booked like usage. The same again changes nothing, and is answered 200."""
    now = datetime.now(UTC)
    async with database_of(request).writing(caller.tenant) as connection:
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
        assets = await with_revisions(connection, caller.tenant, rows[:limit])
    pairs = list(zip(rows, assets, strict=False))
    found = await asyncio.to_thread(lambda: [AssetAnswer(**answer_of(*pair, now)) for pair in pairs])
    last = rows[limit - 1] if len(rows) > limit else None
    return AssetList(
        assets=found,
        accruing=bool(request.app.state.accrual_door.there),
        next_cursor=last and encode_cursor((last["registered_at"], last["asset_id"])),
    )


@router.get(f"{PATH}/{{id}}", responses=answers("asset_report", missing=_UNKNOWN))
async def get_asset(request: Request, caller: Reader, id: AssetPath) -> AssetReport:
    """One asset: what has accrued and of whom, what is still to come, what the book says of it, and all that
    was ever said of it."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _report(connection, caller.tenant, id)


@router.patch(f"{PATH}/{{id}}", responses=answers("asset_report", missing=_UNKNOWN))
async def change_asset(request: Request, caller: Writer, id: AssetPath, body: AssetPatch) -> AssetReport:
    """Reassign it, change what it costs, or retire it: from the next hour on, or from when it says. What was
    booked of hours before is amended; nothing that was said is lost."""
    now = datetime.now(UTC)
    async with database_of(request).writing(caller.tenant) as connection:
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
        return await _report(connection, caller.tenant, id)


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


async def _report(connection: TenantConnection, tenant: str, id: str) -> AssetReport:
    now = datetime.now(UTC)
    row, asset = await read_asset(connection, tenant, id)
    hours = AssetHours(asset, asset.revisions, row["sent_until"])
    use = None
    if asset.kind == "licence":
        activity = await connection.fetch(SQL["activity"], id, ACTIVITY_DAYS)
        use = seat_use(hours.terms_at(now), [(each["day"], each["active"]) for each in activity])
    sheets = await connection.fetch(SQL["timesheets"], id)
    return AssetReport(
        **answer_of(row, asset, now, hours),
        by_label=await asyncio.to_thread(accrued_by_label, row, asset, hours),
        seat_use=use,
        timesheet_hours=sum((each["hours"] for each in sheets), Decimal(0)),
        timesheet_amount=sum((each["amount"] for each in sheets), Decimal(0)),
        booked=await _booked(connection, row, asset, sheets),
        revisions=[
            SaidOfAsset(
                revision=each.number,
                effective_from=each.effective_from,
                recorded_at=each.recorded_at,
                back_dated=each.back_dated,
                change=each.change,
                author=each.author,
                reason=each.reason,
            )
            for each in asset.revisions
        ],
    )


async def _booked(
    connection: TenantConnection, row: Any, asset: Asset, entries: list[Any]
) -> list[BookedOf] | None:
    """What the book says of all that was sent; None where that is too much to look up."""
    hours = list(hours_within(asset, asset.hour_from(asset.accrue_from), row["sent_until"]))
    slots = slots_of(asset)
    if len(hours) * len(slots) > LOOKED_UP_MAX:
        return None
    events = [(at(asset, hour), event_id(hour, slot)) for hour in hours for slot in slots]
    events += [(worked_at(asset, each["day"]), timesheet_id(each["entry_id"])) for each in entries]
    identities = [identity(asset.tenant, asset.source, name) for _, name in events]
    rows = await connection.fetch(SQL["booked"], [when for when, _ in events], identities)
    return [BookedOf(**each) for each in rows]
