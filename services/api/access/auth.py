"""Who asks: a key in `Authorization: Bearer`, or the session in the portal's cookie; what it may do, and for
which tenant.

Routes declare what they need as a dependency (Reader, Responding, Governing, Correcting, Importing, Writer,
...); nothing is decided by a path. What a scope contains stands in spendmeter/contracts/permissions.toml.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from services.api.access.keys import ApiCredential, ApiKeys
from services.api.http.problems import HttpRefusal, forbidden
from spendmeter.contracts.permissions import contained
from spendmeter.platform.keys import OPERATOR, TENANT_PATTERN

COOKIE = "spendmeter_session"
UNKNOWN_KEY = "the key is unknown, expired or revoked"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer sm_...`")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="set by POST /v1/session, for the portal")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated key; `tenant` '' = an operator who has chosen none."""

    key_id: str
    tenant: str
    operator: bool
    scopes: tuple[str, ...]
    expires_at: datetime | None = None

    def may(self, *scopes: str) -> bool:
        """Whether it has one of these, or one that contains it (permissions.toml)."""
        return not contained(self.scopes).isdisjoint(scopes)

    @property
    def by(self) -> str:
        """Who it is, as what it changes says."""
        return f"key {self.key_id}"


def same_origin(request: Request) -> bool:
    """Whether a browser sent this from our own page: by Sec-Fetch-Site, else by Origin; neither = no."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    except ValueError:
        return False


async def _credential(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> ApiCredential:
    if (
        bearer is None
        and cookie is not None
        and request.method not in SAFE_METHODS
        and not same_origin(request)
    ):
        raise forbidden("a change by cookie must come from this server's own page")
    keys, now = keys_of(request), datetime.now(UTC)
    if bearer is not None:
        credential, detail = await keys.by_key(bearer.credentials, now), UNKNOWN_KEY
    elif cookie is not None:
        credential, detail = await keys.by_session(cookie, now), "the session is over: log in again"
    else:
        credential, detail = None, "send Authorization: Bearer sm_..."
    if credential is None:
        raise HttpRefusal(401, "Unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
    return credential


Presented = Annotated[ApiCredential, Depends(_credential)]
Chosen = Annotated[
    str | None, Header(alias="X-Spendmeter-Tenant", description="for operator keys: the tenant to act for")
]


async def _caller(credential: Presented, chosen: Chosen = None) -> Caller:
    return _for_tenant(caller_of(credential), chosen)


async def _asking(credential: Presented, chosen: Chosen = None) -> Caller:
    """An agent's key reads nothing, but it may ask for more of a budget."""
    caller = _as_caller(credential)
    if not caller.may("reserve", "govern"):
        raise forbidden(f"{caller.by} lacks the scope reserve, so it asks for nothing")
    return await _with_tenant(_for_tenant(caller, chosen))


def caller_of(credential: ApiCredential) -> Caller:
    """Whose key this is. Raises HttpRefusal (403) for one that may not read."""
    caller = _as_caller(credential)
    if not caller.may("read"):
        raise forbidden(f"{caller.by} lacks the scope read, and has none that contains it")
    return caller


def _as_caller(credential: ApiCredential) -> Caller:
    return Caller(
        key_id=credential.key_id,
        tenant=credential.tenant,
        operator=credential.tenant == OPERATOR,
        scopes=credential.scopes,
        expires_at=credential.expires_at,
    )


def _for_tenant(caller: Caller, chosen: str | None) -> Caller:
    if not caller.operator:
        if chosen is not None and chosen != caller.tenant:
            raise forbidden(f"{caller.by} belongs to another tenant")
        return caller
    if not caller.may("admin"):
        raise forbidden(f"operator key {caller.key_id} needs the scope admin")
    if chosen is not None and not TENANT_PATTERN.fullmatch(chosen):
        raise HttpRefusal(400, "Bad request", "X-Spendmeter-Tenant: lower-case letters, digits and hyphens")
    return replace(caller, tenant=chosen or OPERATOR)


async def _with_tenant(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if not caller.tenant:
        raise HttpRefusal(
            400, "No tenant", "an operator key names the tenant to act for in the header X-Spendmeter-Tenant"
        )
    return caller


async def _admin(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if not caller.may("admin"):
        raise forbidden(f"{caller.by} lacks the scope admin, so it cannot change this")
    return caller


async def _governing(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if not caller.may("govern"):
        raise forbidden(f"{caller.by} lacks the scope govern, so it sets nothing")
    return caller


async def _responding(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if not caller.may("respond"):
        raise forbidden(f"{caller.by} lacks the scope respond, so it does nothing about incidents")
    return caller


async def _any_admin(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if not caller.may("admin"):
        raise forbidden(f"{caller.by} lacks the scope admin")
    return caller


async def _correcting(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if not caller.may("correct"):
        raise forbidden(f"{caller.by} lacks the scope correct, so it changes nothing that is booked")
    return caller


async def _importing(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if not caller.may("import"):
        raise forbidden(f"{caller.by} lacks the scope import, so it sends no bills")
    return caller


def keys_of(request: Request) -> ApiKeys:
    """The process's keys."""
    keys: ApiKeys = request.app.state.keys
    return keys


Anyone = Annotated[Caller, Depends(_caller)]
"""Any key that may read; an operator's may act for no tenant."""
Reader = Annotated[Caller, Depends(_with_tenant)]
"""A key that may read one tenant's."""
Admin = Annotated[Caller, Depends(_any_admin)]
"""A key that may change all of one tenant's; an operator's may act for no tenant."""
Correcting = Annotated[Caller, Depends(_correcting)]
"""A key that may correct what is booked of one tenant."""
Importing = Annotated[Caller, Depends(_importing)]
"""A key that may import bills of one tenant."""
Asking = Annotated[Caller, Depends(_asking)]
"""A key that may ask for more of one tenant's budgets."""
Responding = Annotated[Caller, Depends(_responding)]
"""A key that may act on one tenant's incidents."""
Governing = Annotated[Caller, Depends(_governing)]
"""A key that may set by what one tenant's spend is governed."""
Writer = Annotated[Caller, Depends(_admin)]
"""A key that may change one tenant's."""
