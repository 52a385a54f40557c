"""Tenants and their API keys: `sm_<environment>_<key id>_<secret>`, of which only a hash is stored."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from spendmeter.contracts.permissions import SCOPES
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("keys.sql"))
OPERATOR = ""
"""The tenant of a key that may act for every tenant."""
SECRET_BYTES = 32
TENANT_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
REGION_PATTERN = re.compile(r"[a-z0-9-]{0,32}")
_KEY = re.compile(r"sm_[a-z]{1,16}_(k[0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True)
class ParsedKey:
    """A key as presented: what to look up, and what to compare with the stored hash."""

    key_id: str
    secret_sha256: bytes


def parse_key(text: str) -> ParsedKey | None:
    """None when the text has not the form of a key."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    return ParsedKey(key_id=match[1], secret_sha256=hashlib.sha256(match[2].encode()).digest())


@dataclass(frozen=True, kw_only=True)
class StoredKey:
    """A key that is not revoked, as stored; tenant '' = an operator's. While it is rotated it has two
    secrets."""

    key_id: str
    tenant: str
    secret_sha256: bytes = field(repr=False)
    expires_at: datetime | None
    former_sha256: bytes | None = field(default=None, repr=False)
    former_until: datetime | None = None

    def opens(self, presented: ParsedKey, now: datetime) -> bool:
        """Whether the presented key is this one, by either secret, and has not expired."""
        same = hmac.compare_digest(presented.secret_sha256, self.secret_sha256)
        if not same and self.former_sha256 is not None and self.former_until is not None:
            same = now < self.former_until and hmac.compare_digest(
                presented.secret_sha256, self.former_sha256
            )
        return same and (self.expires_at is None or now < self.expires_at)


class StillRotating(ValueError):
    """A key's former secret is in its grace still: with a third one it would end before it was said to."""

    def __init__(self, key_id: str, until: datetime) -> None:
        super().__init__(
            f"key {key_id} is being rotated: its former secret opens until {until:%Y-%m-%d %H:%M}Z, and "
            "would no longer"
        )


async def create_tenant(connection: Any, tenant: str, *, name: str = "") -> None:
    """Create the tenant if it is not there, and its pseudonym keys of this month and the next two. In what it
    counts, terms in the catalog say; until they do, the defaults."""
    if not TENANT_PATTERN.fullmatch(tenant):
        raise ValueError(f"tenant {tenant!r}: lower-case letters, digits and hyphens, at most 63")
    await connection.execute(SQL["add_tenant"], tenant, name or tenant)
    await create_pseudonym_keys(connection, [tenant], datetime.now(UTC).date())


async def create_pseudonym_keys(connection: Any, tenants: Sequence[str], today: date) -> None:
    """See to it that every tenant has a pseudonym key for this month and the next two."""
    rows = []
    for ahead in range(3):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        rows += [(tenant, date(year, month + 1, 1), secrets.token_bytes(SECRET_BYTES)) for tenant in tenants]
    await connection.executemany(SQL["add_pseudonym_key"], rows)


async def pin_tenant(connection: Any, tenant: str, region: str) -> bool:
    """Let the tenant's usage go to systems of this region alone; '' = any. False when there is no such
    tenant."""
    if not REGION_PATTERN.fullmatch(region):
        raise ValueError(f"region {region!r}: lower-case letters, digits and hyphens, at most 32")
    return await connection.fetchval(SQL["pin_tenant"], tenant, region) is not None


async def tenant_exists(connection: Any, tenant: str) -> bool:
    """Whether there is such a tenant."""
    return await connection.fetchval(SQL["tenant_exists"], tenant) is not None


async def create_key(
    connection: Any,
    tenant: str,
    scopes: Sequence[str],
    *,
    name: str,
    environment: str = "live",
    expires_at: datetime | None = None,
    trust_reported_cost: bool = False,
    events_per_minute: int | None = None,
) -> str:
    """Make a key and return its text: the only time that anybody sees it. tenant '' = an operator's."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise ValueError(f"scopes are one or more of {', '.join(SCOPES)}; not {', '.join(sorted(unknown))!r}")
    if {"ingest", "import"} <= set(scopes):
        raise ValueError("a key sends usage (ingest) or bills (import): make two")
    key_id = "k" + secrets.token_hex(6)
    secret, digest = _new_secret()
    await connection.execute(
        SQL["add_key"],
        key_id,
        tenant,
        name,
        digest,
        list(scopes),
        trust_reported_cost,
        expires_at,
        events_per_minute,
    )
    return f"sm_{environment}_{key_id}_{secret}"


async def rotate_key(connection: Any, key_id: str, *, grace: timedelta) -> str | None:
    """Give a live key a second secret and return its text; the one that it had opens for `grace` still. The
    id stays, and with it all that names it. Without `grace` the key's sessions end, too: whoever had the
    secret may have opened one. None when there is no such live key. Raises StillRotating, unless without
    `grace` both shall end."""
    secret, digest = _new_secret()
    if await connection.fetchval(SQL["rotate_key"], key_id, digest, grace) is None:
        if (until := await connection.fetchval(SQL["rotating"], key_id)) is not None:
            raise StillRotating(key_id, until)
        return None
    if not grace:
        await connection.execute(SQL["end_sessions"], secrets.token_bytes(SECRET_BYTES), key_id)
    return f"sm_live_{key_id}_{secret}"


def _new_secret() -> tuple[str, bytes]:
    """A secret, and what is stored of it."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return secret, hashlib.sha256(secret.encode()).digest()


async def revoke_key(connection: Any, key_id: str) -> bool:
    """Revoke a key; it stops working within 10 s everywhere. False when there is no such live key."""
    return await connection.fetchval(SQL["revoke_key"], key_id) is not None


async def list_keys(connection: Any, tenant: str = "") -> list[Any]:
    """{key_id, tenant, name, scopes, created_at, expires_at, revoked_at, former_until, events_per_minute,
    last_used_at} of one tenant's keys, or of all."""
    return list(await connection.fetch(SQL["keys"], tenant))
