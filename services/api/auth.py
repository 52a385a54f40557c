"""Who asks: a key in `Authorization: Bearer`, or the portal's cookie; what it may do, and for which tenant.

Routes declare what they need as a dependency (Reader, Writer, Anyone); nothing is decided by a path.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from services.api.database import SQL, Database
from services.api.problems import Refused
from spendmeter.platform.keys import OPERATOR, TENANT_PATTERN, is_live, parse_key

COOKIE = "spendmeter_key"
KEY_CACHE_S = 5.0
"""How long a looked-up key is trusted; a revocation must take effect within 10 s."""
KEYS_CACHED_MAX = 10_000
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


@dataclass(frozen=True, kw_only=True)
class _Stored:
    row: Any
    read_at_s: float


class Keys:
    """Looks keys up in Postgres, and remembers an answer (also "no such key") for KEY_CACHE_S."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._stored: dict[str, _Stored] = {}

    async def caller(self, text: str, now: datetime) -> Caller | None:
        """Whose key this is; None for one that is unknown, wrong, expired or revoked."""
        presented = parse_key(text)
        if presented is None:
            return None
        row = await self._find(presented.key_id)
        if row is None or not is_live(
            presented, row["secret_sha256"], row["expires_at"], row["revoked_at"], now
        ):
            return None
        return Caller(
            key_id=presented.key_id,
            tenant=row["tenant"],
            operator=row["tenant"] == OPERATOR,
            scopes=tuple(row["scopes"]),
        )

    async def _find(self, key_id: str) -> Any:
        now_s = self._clock()
        known = self._stored.get(key_id)
        if known is None or now_s - known.read_at_s > KEY_CACHE_S:
            async with self._database.reading(OPERATOR) as connection:
                row = await connection.fetchrow(SQL["find_key"], key_id)
            if len(self._stored) >= KEYS_CACHED_MAX:
                self._stored.clear()
            known = self._stored[key_id] = _Stored(row=row, read_at_s=now_s)
        return known.row


def same_origin(request: Request) -> bool:
    """Whether a browser sent this from our own page: by Sec-Fetch-Site, else by Origin; neither = no."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")
    except ValueError:
        return False


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
    chosen: Annotated[
        str | None,
        Header(alias="X-Spendmeter-Tenant", description="for operator keys: the tenant to act for"),
    ] = None,
) -> Caller:
    if (
        bearer is None
        and cookie is not None
        and request.method not in SAFE_METHODS
        and not same_origin(request)
    ):
        raise Refused(403, "Forbidden", "a change by cookie must come from this server's own page")
    text = bearer.credentials if bearer is not None else cookie
    caller = await keys_of(request).caller(text, datetime.now(UTC)) if text else None
    if caller is None:
        detail = "the key is unknown, expired or revoked" if text else "send Authorization: Bearer sm_..."
        raise Refused(401, "Unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
    if not {"read", "admin"} & set(caller.scopes):
        raise Refused(403, "Forbidden", f"key {caller.key_id} has neither the scope read nor admin")
    return _for_tenant(caller, chosen)


def _for_tenant(caller: Caller, chosen: str | None) -> Caller:
    if not caller.operator:
        if chosen is not None and chosen != caller.tenant:
            raise Refused(403, "Forbidden", f"key {caller.key_id} belongs to another tenant")
        return caller
    if "admin" not in caller.scopes:
        raise Refused(403, "Forbidden", f"operator key {caller.key_id} needs the scope admin")
    if chosen is not None and not TENANT_PATTERN.fullmatch(chosen):
        raise Refused(400, "Bad request", "X-Spendmeter-Tenant: lower-case letters, digits and hyphens")
    return Caller(key_id=caller.key_id, tenant=chosen or OPERATOR, operator=True, scopes=caller.scopes)


def _with_tenant(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
    if not caller.tenant:
        raise Refused(
            400, "No tenant", "an operator key names the tenant to act for in the header X-Spendmeter-Tenant"
        )
    return caller


def _admin(caller: Annotated[Caller, Depends(_with_tenant)]) -> Caller:
    if "admin" not in caller.scopes:
        raise Refused(
            403, "Forbidden", f"key {caller.key_id} lacks the scope admin, so it cannot change anything"
        )
    return caller


def keys_of(request: Request) -> Keys:
    """The process's keys."""
    keys: Keys = request.app.state.keys
    return keys


Anyone = Annotated[Caller, Depends(_caller)]
"""Any key that may read; an operator's may act for no tenant."""
Reader = Annotated[Caller, Depends(_with_tenant)]
"""A key that may read one tenant's."""
Writer = Annotated[Caller, Depends(_admin)]
"""A key that may change one tenant's."""
