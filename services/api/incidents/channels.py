"""Channels: the webhooks that incidents are told to, signed by the Standard Webhooks scheme."""

import asyncio
import secrets
from base64 import b64encode
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.database.transactions import database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid, not_found, too_many
from services.api.http.representation import Negotiated
from spendmeter.platform.public_addresses import ForbiddenAddressError, checked_url, resolve_public
from spendmeter.platform.settings import Settings
from spendmeter.platform.sql import load_sql
from spendmeter.platform.webhooks import UNLESS

CHANNELS_MAX = 20
SECRET_BYTES = 32
RESOLVE_S_MAX = 2
"""A name that is not resolved by then is taken: delivery checks again whatever it resolves to."""

SQL = load_sql(Path(__file__).with_name("channels.sql"))
router = APIRouter(tags=["channels"], route_class=Negotiated)


class NewChannel(RequestBody):
    """A webhook to be added."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    url: Annotated[Text, Field(max_length=2000, examples=["https://hooks.example.org/spend"])]


class Channel(BaseModel):
    """A webhook; a receiver that answers 410 Gone disables it."""

    id: UUID
    name: str
    kind: str
    url: str
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str


class CreatedChannel(Channel):
    """With the secret that signs what is sent: shown this once."""

    secret: str


class Channels(BaseModel):
    """All of the tenant's."""

    TABLES: ClassVar = ("channels",)

    channels: list[Channel]


@router.get("/v1/channels", responses=answers("channels"))
async def list_channels(request: Request, caller: Reader) -> Channels:
    """Where incidents are told."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"])
    return Channels(channels=[Channel(**row) for row in rows])


@router.post("/v1/channels", status_code=201, responses=answers("created_channel", status=201))
async def create_channel(request: Request, caller: Writer, body: NewChannel) -> CreatedChannel:
    """Add a webhook; its signing secret is in this answer and nowhere else."""
    settings: Settings = request.app.state.settings
    await _check_url(body.url, settings.webhook_allow_private)
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    async with database_of(request).writing(caller.tenant) as connection:
        if await connection.fetchval(SQL["count"]) >= CHANNELS_MAX:
            raise too_many("channels", CHANNELS_MAX)
        row = await connection.fetchrow(SQL["create"], caller.tenant, body.name, body.url, secret)
    return CreatedChannel(**row, secret=secret)


@router.delete("/v1/channels/{id}", status_code=204, responses=answers("", missing="no such channel"))
async def delete_channel(request: Request, caller: Writer, id: UUID) -> None:
    """Stop telling it anything."""
    async with database_of(request).writing(caller.tenant) as connection:
        if await connection.fetchval(SQL["delete"], id) is None:
            raise not_found(f"there is no channel {id}")


async def _check_url(url: str, allow_private: bool) -> None:
    """Refuse what delivery would refuse, with the same words."""
    try:
        host = checked_url(url, allow_private=allow_private, unless=UNLESS).host or ""
        if not allow_private:
            async with asyncio.timeout(RESOLVE_S_MAX):
                await resolve_public(host, unless=UNLESS)
    except ForbiddenAddressError as error:
        raise invalid("url", error.strerror or "is not a public address") from None
    except ValueError as error:
        raise invalid("url", str(error)) from None
    except OSError:
        return  # not resolved (yet, or by us): delivery will say so
