"""Who asks: a key or a person's token in `Authorization: Bearer`, or the session in the portal's cookie; what
it may do, and for which tenant.

Routes declare what they need as a dependency (Reader, Responding, Governing, Correcting, Importing, Writer,
...); nothing is decided by a path. What a scope contains stands in spendmeter/contracts/permissions.toml.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from services.api.access.cookies import COOKIE, cookie_of
from services.api.access.issuers import IssuerAway, Issuers
from services.api.access.keys import ApiCredential, ApiKeys, PersonCredential
from services.api.access.tokens import BadToken
from services.api.database.transactions import Onlooker
from services.api.http.problems import HttpRefusal, forbidden
from spendmeter.contracts.permissions import contained
from spendmeter.platform.keys import OPERATOR, TENANT_PATTERN
from spendmeter.platform.telemetry import log
from spendmeter.platform.trusted_issuers import TrustedIssuer

UNKNOWN_KEY = "the key is unknown, expired or revoked"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
Credential: TypeAlias = ApiCredential | PersonCredential


_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer sm_...`")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="set by POST /v1/session, for the portal")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated key, or person; `tenant` '' = an operator who has chosen none."""

    key_id: str
    """The person's id where it is one."""
    tenant: str
    operator: bool
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    person: bool = False
    team: str = ""
    """Of a viewer of one team alone; '' = of all of the tenant."""

    def may(self, *scopes: str) -> bool:
        """Whether it has one of these, or one that contains it (permissions.toml)."""
        return not contained(self.scopes).isdisjoint(scopes)

    @property
    def onlooker(self) -> Onlooker:
        """Whose rows it is shown."""
        return Onlooker(self.tenant, self.team)

    @property
    def by(self) -> str:
        """Who it is, as what it changes says."""
        return f"{'person' if self.person else 'key'} {self.key_id}"


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
    _described: Annotated[str | None, Depends(_cookie)],
) -> Credential:
    cookie = cookie_of(request, COOKIE)
    if (
        bearer is None
        and cookie is not None
        and request.method not in SAFE_METHODS
        and not same_origin(request)
    ):
        raise forbidden("a change by cookie must come from this server's own page")
    credential: Credential | None
    keys, now = keys_of(request), datetime.now(UTC)
    if bearer is not None and bearer.credentials.count(".") == 2:  # no key holds a dot
        return await _by_token(request, bearer.credentials, now)
    if bearer is not None:
        credential, detail = await keys.by_key(bearer.credentials, now), UNKNOWN_KEY
    elif cookie is not None:
        credential, detail = await keys.by_session(cookie, now), "the session is over: log in again"
    else:
        credential, detail = None, "send Authorization: Bearer sm_..."
    if credential is None:
        raise _unauthorized(detail)
    return credential


async def _by_token(request: Request, token: str, now: datetime) -> PersonCredential:
    """A person, by a token of the tenant's issuer."""
    try:
        trusted, subject = await issuers_of(request).person_of(token, now.timestamp())
    except BadToken as bad:
        raise not_a_token(bad) from None
    except IssuerAway as away:
        raise issuer_away(away) from None
    return await person_of_subject(request, trusted, subject)


async def person_of_subject(request: Request, trusted: TrustedIssuer, subject: str) -> PersonCredential:
    """Whom a proven token is about. Raises HttpRefusal (403) for whoever has no role: how they get one."""
    person_id = person_id_of(trusted.tenant, trusted.issuer, subject)
    person = await keys_of(request).by_person(trusted.tenant, person_id)
    if person is None:
        raise forbidden(
            f"person {person_id} has no role of tenant {trusted.tenant}: an admin of it gives one, to the "
            f"issuer {trusted.issuer} and the subject that the token names (spendmeter people grant)"
        )
    return person


def person_id_of(tenant: str, issuer: str, subject: str) -> str:
    """What stands for a person of a tenant."""
    return "p" + sha256("\0".join((tenant, issuer, subject)).encode()).hexdigest()[:16]


def not_a_token(bad: BadToken) -> HttpRefusal:
    """401: the token proves nothing."""
    return _unauthorized(f"the token {bad}")


def issuer_away(why: Exception) -> HttpRefusal:
    """503: nobody can say whose a token is; why, the log says."""
    log().warning("an issuer of people's tokens cannot be asked", reason=str(why)[:300])
    return HttpRefusal(
        503, "Not available", "the issuer of people's tokens cannot be asked", retry_after_s=30
    )


def _unauthorized(detail: str) -> HttpRefusal:
    return HttpRefusal(401, "Unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


Presented = Annotated[Credential, Depends(_credential)]
Chosen = Annotated[
    str | None, Header(alias="X-Spendmeter-Tenant", description="for operator keys: the tenant to act for")
]


async def _known(credential: Presented, chosen: Chosen = None) -> Caller:
    return _for_tenant(caller_of(credential), chosen)


async def _caller(caller: Annotated[Caller, Depends(_known)]) -> Caller:
    """Shares, "others" and causes tell of other teams by difference: so a route is closed to who sees one
    team until it is made for them."""
    if caller.team:
        raise forbidden(f"{caller.by} sees one team alone, and this is not shown by team")
    return caller


async def _asking(credential: Presented, chosen: Chosen = None) -> Caller:
    """An agent's key reads nothing, but it may ask for more of a budget."""
    caller = _as_caller(credential)
    if not caller.may("reserve", "govern"):
        raise forbidden(f"{caller.by} lacks the scope reserve, so it asks for nothing")
    return await _with_tenant(await _caller(_for_tenant(caller, chosen)))


async def asks_still(request: Request) -> Caller:
    """Who asks, found out anew, of an answer that lasts; or of one team. Raises as at its beginning."""
    credential = await _credential(request, await _bearer(request), None)
    caller = _for_tenant(caller_of(credential), request.headers.get("X-Spendmeter-Tenant"))
    return _of_a_tenant(caller)


def caller_of(credential: Credential) -> Caller:
    """Who this is. Raises HttpRefusal (403) for one that may not read."""
    caller = _as_caller(credential)
    if not caller.may("read"):
        raise forbidden(f"{caller.by} lacks the scope read, and has none that contains it")
    return caller


def _as_caller(credential: Credential) -> Caller:
    if isinstance(credential, PersonCredential):
        return Caller(
            key_id=credential.person_id,
            tenant=credential.tenant,
            operator=False,
            scopes=credential.scopes,
            person=True,
            team=credential.team,
        )
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


async def _seeing(caller: Annotated[Caller, Depends(_known)]) -> Caller:
    return _of_a_tenant(caller)


async def _with_tenant(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    return _of_a_tenant(caller)


def _of_a_tenant(caller: Caller) -> Caller:
    if not caller.tenant:
        raise HttpRefusal(
            400, "No tenant", "an operator key names the tenant to act for in the header X-Spendmeter-Tenant"
        )
    return caller


def _having(scope: str, so: str, known: Callable[..., Awaitable[Caller]] = _with_tenant) -> Any:
    """The dependency of routes that ask for a scope; `so`: what a caller without it may not do."""

    async def having(caller: Annotated[Caller, Depends(known)]) -> Caller:
        if not caller.may(scope):
            raise forbidden(f"{caller.by} lacks the scope {scope}{so}")
        return caller

    return Depends(having)


def issuers_of(request: Request) -> Issuers:
    """The process's."""
    issuers: Issuers = request.app.state.issuers
    return issuers


def keys_of(request: Request) -> ApiKeys:
    """The process's keys."""
    keys: ApiKeys = request.app.state.keys
    return keys


KnownCaller = Annotated[Caller, Depends(_known)]
"""Anybody who may read, were it one team: for what says nothing of anybody else."""
Anyone = Annotated[Caller, Depends(_caller)]
"""Any key that may read; an operator's may act for no tenant."""
Reader = Annotated[Caller, Depends(_with_tenant)]
"""A key that may read one tenant's."""
TeamReader = Annotated[Caller, Depends(_seeing)]
"""The same, or whoever sees one team of it: for routes that ask as `caller.onlooker` (`Database.seen_by`),
keep answers for equal onlookers alone, and say nothing of anybody else (docs/decisions/teams.md)."""
Admin = Annotated[Caller, _having("admin", "", _caller)]
"""A key that may change all of one tenant's; an operator's may act for no tenant."""
Correcting = Annotated[Caller, _having("correct", ", so it changes nothing that is booked")]
"""A key that may correct what is booked of one tenant."""
Importing = Annotated[Caller, _having("import", ", so it sends no bills")]
"""A key that may import bills of one tenant."""
Asking = Annotated[Caller, Depends(_asking)]
"""A key that may ask for more of one tenant's budgets."""
Responding = Annotated[Caller, _having("respond", ", so it does nothing about incidents")]
"""A key that may act on one tenant's incidents."""
Governing = Annotated[Caller, _having("govern", ", so it sets nothing")]
"""A key that may set by what one tenant's spend is governed."""
Writer = Annotated[Caller, _having("admin", ", so it cannot change this")]
"""A key that may change one tenant's."""
