"""People log in with their own issuer: OpenID Connect's code flow, with PKCE, state and nonce.

What belongs to a log-in under way is in a cookie of the browser that began it, for some minutes: so nothing
is kept here for strangers, and nobody ends a log-in in another's browser. What the issuer answers is used for
one thing, who it is; what they may do is in our own table.
"""

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import aiohttp
import msgspec
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from services.api.access.auth import issuer_away, issuers_of, keys_of, not_a_token, person_of_subject
from services.api.access.cookies import COOKIE, PENDING, cookie_of, set_cookie
from services.api.access.issuers import BYTES_MAX, SECONDS_MAX, UNLESS, IssuerAway
from services.api.access.keys import SESSION_LASTS
from services.api.access.refusal_page import Browsed
from services.api.access.tokens import BadToken
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, not_found
from services.api.http.representation import refuse_unknown
from spendmeter.platform.public_addresses import checked_url
from spendmeter.platform.public_resolver import connector
from spendmeter.platform.settings import Settings
from spendmeter.platform.trusted_issuers import TrustedIssuer

PENDING_S = 600
EXCHANGES_MAX = 10
"""At once of each issuer: whoever makes up answers makes us ask their issuer no more often, and one that
takes its time delays its own people alone."""

router = APIRouter(tags=["session"], route_class=Browsed)
_exchanging: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(EXCHANGES_MAX))
_TO: dict[int | str, dict[str, Any]] = {303: {"description": "to the issuer, or back to the portal"}}


class PendingLogIn(msgspec.Struct, frozen=True):
    """What the browser that began a log-in keeps of it."""

    tenant: str
    issuer: str
    state: str
    nonce: str
    verifier: str


class LogInWays(BaseModel):
    """How people log in here, beside keys."""

    issuer: bool = Field(description="whether some tenant's people log in with their issuer; not whose")


class _Exchanged(msgspec.Struct, frozen=True):
    id_token: str


@router.get("/v1/session/ways", summary="How people log in", responses=answers("log_in_ways"))
async def list_ways(request: Request) -> LogInWays:
    """For the log-in page, of which anybody may ask: no tenant is named."""
    refuse_unknown(request, ())
    return LogInWays(issuer=bool(issuers_of(request).trusted))


@router.get(
    "/v1/session/log-in",
    status_code=303,
    response_class=RedirectResponse,
    summary="Log in with the tenant's issuer",
    responses={**answers("", missing="nobody vouches for people of that tenant here"), **_TO},
)
async def begin(
    request: Request,
    tenant: Annotated[Text, Query(max_length=63)],
    issuer: Annotated[Text | None, Query(max_length=500, description="where a tenant has several")] = None,
) -> RedirectResponse:
    """Send the browser to the tenant's issuer. It comes back to `/v1/session/callback/` and the tenant."""
    refuse_unknown(request, ("tenant", "issuer"))
    trusted = _trusted(request, tenant, issuer)
    try:
        endpoints = await issuers_of(request).endpoints_of(trusted)
        to = checked_url(endpoints.authorization_endpoint, allow_private=_private(request), unless=UNLESS)
    except (IssuerAway, ValueError, OSError) as error:
        raise issuer_away(error) from None
    pending = PendingLogIn(
        tenant=trusted.tenant,
        issuer=trusted.issuer,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
    )
    asked = {
        "response_type": "code",
        "client_id": trusted.audience,
        "redirect_uri": _back(request, trusted.tenant),
        "scope": "openid",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": _challenge(pending.verifier),
        "code_challenge_method": "S256",
    }
    answer = RedirectResponse(str(to.update_query(asked)), status_code=303)
    kept = urlsafe_b64encode(msgspec.json.encode(pending)).decode()
    # Lax: it must come along when the issuer sends the browser back.
    set_cookie(request, answer, PENDING, kept, seconds=PENDING_S, samesite="lax")
    return answer


@router.get(
    "/v1/session/callback/{tenant}",
    status_code=303,
    response_class=RedirectResponse,
    summary="Come back from the issuer",
    responses={**answers(""), **_TO},
)
async def come_back(
    request: Request,
    tenant: Annotated[Text, InPath(max_length=63)],
    state: Annotated[Text, Query(max_length=200)] = "",
    code: Annotated[Text, Query(max_length=4_096)] = "",
    error: Annotated[Text, Query(max_length=200)] = "",
    iss: Annotated[Text | None, Query(max_length=500)] = None,
) -> RedirectResponse:
    """End a log-in: whoever comes back with the answer to what this browser began has a session of their
    role. Each tenant has an address of its own: an issuer that sends people on to another tenant's, to be
    given the code that they come back with, sees them come back elsewhere."""
    pending = _pending(request)
    begun_here = pending is not None and hmac.compare_digest(pending.state.encode(), state.encode())
    if pending is None or not begun_here or pending.tenant != tenant:
        raise HttpRefusal(400, "Not under way", "no such log-in was begun in this browser: begin again")
    if iss is not None and iss != pending.issuer:
        raise HttpRefusal(400, "Another issuer", "the answer comes from another issuer: begin again")
    if error or not code:
        raise forbidden("the issuer did not let them in: begin again, or ask whoever runs it")
    trusted = _trusted(request, pending.tenant, pending.issuer)
    now = datetime.now(UTC)
    try:
        token = await _exchange(request, trusted, code, pending.verifier)
        subject = await issuers_of(request).subject_of(token, trusted, now.timestamp(), pending.nonce)
    except BadToken as bad:
        raise not_a_token(bad) from None
    except IssuerAway as away:
        raise issuer_away(away) from None
    person = await person_of_subject(request, trusted, subject)
    answer = RedirectResponse("/", status_code=303)
    opened, seconds = await keys_of(request).open_person_session(person, now), SESSION_LASTS.total_seconds()
    set_cookie(request, answer, COOKIE, opened, seconds=int(seconds), samesite="strict")
    set_cookie(request, answer, PENDING, "", seconds=0, samesite="lax")
    return answer


async def _exchange(request: Request, trusted: TrustedIssuer, code: str, verifier: str) -> str:
    """The token that the issuer gives for the code. Raises IssuerAway, and BadToken where it gives none."""
    endpoints = await issuers_of(request).endpoints_of(trusted)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _back(request, trusted.tenant),
        "client_id": trusted.audience,
        "code_verifier": verifier,
    }
    if secret := trusted.client_secret.get_secret_value():
        form["client_secret"] = secret
    try:
        url = checked_url(endpoints.token_endpoint, allow_private=_private(request), unless=UNLESS)
        async with (
            _exchanging[trusted.issuer],
            aiohttp.ClientSession(
                connector=connector(allow_private=_private(request), unless=UNLESS, connections_max=1),
                timeout=aiohttp.ClientTimeout(total=SECONDS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            ) as session,
            session.post(
                url, data=form, headers={"accept": "application/json"}, allow_redirects=False
            ) as answer,
        ):
            body = b""
            while len(body) < BYTES_MAX and (piece := await answer.content.read(BYTES_MAX)):
                body += piece  # it gives what has come so far, which is not all
            if answer.status >= 500:
                raise IssuerAway(f"{trusted.issuer} answers {answer.status} to an exchange")
            if answer.status != 200:
                raise BadToken("was not given for this code")
        return msgspec.json.decode(body, type=_Exchanged).id_token
    except msgspec.MsgspecError:
        raise BadToken("was not given for this code") from None
    except (ValueError, TimeoutError, OSError, aiohttp.ClientError) as error:
        raise IssuerAway(f"{trusted.issuer} does not exchange codes: {error}"[:300]) from None


def _trusted(request: Request, tenant: str, issuer: str | None) -> TrustedIssuer:
    for each in issuers_of(request).trusted:
        if each.tenant == tenant and issuer in (None, each.issuer):
            return each
    raise not_found("nobody vouches for people of that tenant here: log in with a key")


def _pending(request: Request) -> PendingLogIn | None:
    try:
        text = cookie_of(request, PENDING) or ""
        return msgspec.json.decode(urlsafe_b64decode(text), type=PendingLogIn)
    except (ValueError, msgspec.MsgspecError):
        return None


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _back(request: Request, tenant: str) -> str:
    settings: Settings = request.app.state.settings
    base = settings.portal_url or str(request.base_url)
    return f"{base.rstrip('/')}/v1/session/callback/{tenant}"


def _private(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    return settings.issuers_allow_private
