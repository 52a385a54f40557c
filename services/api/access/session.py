"""The portal's log-in: the key goes into the body of one request, and the answer opens a session.

The cookie holds a random token, of which only a hash is kept here. It means nothing elsewhere, and is over
after some hours, with the log-out, and with its key. It is HttpOnly and SameSite=Strict, and a change that
comes with it must come from our own page (auth.py), so another site can neither read it nor use it.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.api.access.auth import UNKNOWN_KEY, Caller, KnownCaller, caller_of, keys_of, same_origin
from services.api.access.cookies import COOKIE, cookie_of, set_cookie
from services.api.access.keys import SESSION_LASTS
from services.api.database.tenant import SQL, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden
from services.api.http.representation import Negotiated
from spendmeter.contracts.terms import NO_TERMS

router = APIRouter(tags=["session"], route_class=Negotiated)


class LogIn(RequestBody):
    """An API key with the scope read, correct or admin."""

    key: Annotated[str, Field(max_length=200)]


class TenantName(BaseModel):
    """A tenant that may be looked at, and what its amounts and days are in now."""

    tenant: str
    name: str
    currency: str
    tz: str


class Session(BaseModel):
    """Who is logged in. `tenants`: the key's own, or for an operator all."""

    key_id: str
    tenant: str
    operator: bool
    scopes: list[str]
    team: str = Field(description="that alone is shown to them; '' = all of the tenant")
    tenants: list[TenantName]


@router.post("/v1/session", responses=answers("session"))
async def log_in(request: Request, response: Response, body: LogIn) -> Session:
    """Log in by key: the answer sets the portal's cookie."""
    _refuse_other_origins(request)
    keys, now = keys_of(request), datetime.now(UTC)
    credential = await keys.by_key(body.key.strip(), now)
    if credential is None:
        raise HttpRefusal(401, "Unauthorized", UNKNOWN_KEY)
    session = await _session(request, caller_of(credential))
    opened, seconds = await keys.open_session(credential, now), int(SESSION_LASTS.total_seconds())
    set_cookie(request, response, COOKIE, opened, seconds=seconds, samesite="strict")
    return session


@router.get("/v1/session", responses=answers("session"))
async def get_session(request: Request, caller: KnownCaller) -> Session:
    """Whose key or session this is."""
    return await _session(request, caller)


@router.delete("/v1/session", status_code=204, responses=answers(""))
async def log_out(request: Request, response: Response) -> None:
    """End the session, and forget the cookie."""
    _refuse_other_origins(request)
    await keys_of(request).close_session(cookie_of(request, COOKIE) or "")
    set_cookie(request, response, COOKIE, "", seconds=0, samesite="strict")


def _refuse_other_origins(request: Request) -> None:
    """A browser says where a request comes from; who says nothing is none, and has no cookie to lose."""
    says_where = "sec-fetch-site" in request.headers or "origin" in request.headers
    if says_where and not same_origin(request):
        raise forbidden("log in and out from this server's own page")


async def _session(request: Request, caller: Caller) -> Session:
    async with database_of(request).reading(caller.tenant) as connection:
        tenants = (
            await _every_tenant(connection) if caller.operator else [await _own_tenant(connection, caller)]
        )
    return Session(
        key_id=caller.key_id,
        tenant=caller.tenant,
        operator=caller.operator,
        scopes=list(caller.scopes),
        team=caller.team,
        tenants=tenants,
    )


async def _own_tenant(connection: TenantConnection, caller: Caller) -> TenantName:
    tenant = await read_tenant(connection, caller.tenant)
    return TenantName(tenant=tenant.tenant, name=tenant.name, currency=tenant.currency, tz=str(tenant.zone))


async def _every_tenant(connection: TenantConnection) -> list[TenantName]:
    return [
        TenantName(
            tenant=row["tenant"],
            name=row["name"],
            currency=row["currency"] or NO_TERMS.currency,
            tz=row["zone"] or NO_TERMS.time_zone,
        )
        for row in await connection.fetch(SQL["tenants"])
    ]
