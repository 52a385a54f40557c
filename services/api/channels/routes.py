"""Channels: where incidents are told, what goes to which and when."""

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request

from services.api.access.auth import Governing, Reader
from services.api.channels.checking import check_routes, check_secrets_stay, checked_settings, new_secret
from services.api.channels.models import Channel, ChannelChange, Channels, CreatedChannel, NewChannel
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found, too_many
from services.api.http.representation import Negotiated
from spendmeter.contracts.channels import decode_settings, shown
from spendmeter.platform.settings import Settings
from spendmeter.platform.sql import load_sql

CHANNELS_MAX = 20
MISSING = "no such channel"

SQL = load_sql(Path(__file__).with_name("channels.sql"))
router = APIRouter(tags=["channels"], route_class=Negotiated)


@router.get("/v1/channels", responses=answers("channels"))
async def list_channels(request: Request, caller: Reader) -> Channels:
    """Where incidents are told, and how each channel fares."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None)
    return Channels(channels=[Channel(**_shown(row)) for row in rows])


@router.get("/v1/channels/{id}", responses=answers("channel", missing=MISSING))
async def get_channel(request: Request, caller: Reader, id: UUID) -> Channel:
    """One channel."""
    async with database_of(request).reading(caller.tenant) as connection:
        return Channel(**await read_one(connection, id))


@router.post("/v1/channels", status_code=201, responses=answers("created_channel", status=201))
async def create_channel(request: Request, caller: Governing, body: NewChannel) -> CreatedChannel:
    """Add a channel; a webhook's signing secret is in this answer and nowhere else."""
    stated = dict(body.settings)
    if body.url is not None:
        if body.kind != "webhook" or "url" in stated:
            raise invalid("url", "is a webhook's alone, and stands in settings or here")
        stated["url"] = body.url
    if body.kind == "webhook":
        stated.setdefault("secret", new_secret())
    field = "url" if body.url is not None else "settings"
    settings = await checked_settings(body.kind, stated, allow_private=_private(request), field=field)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        await check_routes(connection, body.match, body.quiet)
        if await connection.fetchval(SQL["count"]) >= CHANNELS_MAX:
            raise too_many("channels", CHANNELS_MAX)
        created = await connection.fetchval(
            SQL["create"], caller.tenant, body.name, settings, body.match, body.quiet, body.digest_minutes,
            body.position, caller.by,
        )  # fmt: skip
        row = await read_one(connection, created)
    return CreatedChannel(**row, secret=settings.get("secret") if body.kind == "webhook" else None)


@router.patch("/v1/channels/{id}", responses=answers("channel", missing=MISSING))
async def change_channel(request: Request, caller: Governing, id: UUID, body: ChannelChange) -> Channel:
    """Change a channel; settings that are not named stay, secrets among them."""
    settings: dict[str, Any] | None = None
    async with database_of(request).reading(caller.tenant) as connection:
        await read_one(connection, id)
        before = await connection.fetchval(SQL["settings"], id)
    if body.settings is not None:
        merged = {**before, **body.settings}
        settings = await checked_settings(before["kind"], merged, allow_private=_private(request))
        check_secrets_stay(before, settings, body.settings)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        held = await connection.fetchval(SQL["hold_one"], id)
        if held is None:
            raise not_found(f"there is no channel {id}")
        if settings is not None and held != before:
            raise invalid("settings", "were changed by another request meanwhile: look, and ask again")
        await check_routes(connection, body.match, body.quiet)
        await connection.execute(
            SQL["change"], id, body.name, settings, body.match, body.quiet, body.digest_minutes, body.enabled,
            body.position, caller.by,
        )  # fmt: skip
        return Channel(**await read_one(connection, id))


@router.post("/v1/channels/{id}/rotate-secret", responses=answers("created_channel", missing=MISSING))
async def rotate_secret(request: Request, caller: Governing, id: UUID) -> CreatedChannel:
    """Sign a webhook's messages with another secret, from the next one on; it is in this answer and nowhere
    else."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        before = await connection.fetchval(SQL["hold_one"], id)
        if before is None:
            raise not_found(f"there is no channel {id}")
        if before["kind"] != "webhook":
            raise invalid("kind", f"is {before['kind']}: what signs in there is its owner's to make anew")
        settings = before | {"secret": new_secret()}
        nothing = None, None, None, None, None
        await connection.execute(SQL["change"], id, None, settings, *nothing, caller.by)
        row = await read_one(connection, id)
    return CreatedChannel(**row, secret=settings["secret"])


@router.delete("/v1/channels/{id}", status_code=204, responses=answers("", missing=MISSING))
async def delete_channel(request: Request, caller: Governing, id: UUID) -> None:
    """Stop telling it anything."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        if await connection.fetchval(SQL["delete"], id, caller.by) is None:
            raise not_found(f"there is no channel {id}")


async def read_one(connection: TenantConnection, id: UUID) -> dict[str, Any]:
    """A channel without its secrets. Raises HttpRefusal (404)."""
    rows = await connection.fetch(SQL["list"], id)
    if not rows:
        raise not_found(f"there is no channel {id}")
    return _shown(rows[0])


def _shown(row: Any) -> dict[str, Any]:
    settings = decode_settings(msgspec.json.encode(row["settings"]))
    visible = {name: value for name, value in shown(settings).items() if name != "kind"}
    is_set = {name: bool(getattr(settings, name)) for name in settings.SECRETS}
    return dict(row) | {"settings": visible, "secrets": is_set}


def _private(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    return settings.webhook_allow_private
