"""A tenant's keys: listed, made, rotated, revoked. Whoever gives gives no more than they have."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath

from services.api.access.auth import Caller, Writer
from services.api.access.granting import last_admin, refuse_lasting, refuse_scopes, refuse_trust
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found, too_many
from services.api.http.representation import Negotiated
from services.api.keys.models import KeyAnswer, KeyList, KeyState, MadeKey, NewKey, Rotation
from spendmeter.contracts.events import Instant
from spendmeter.platform.keys import StillRotating, create_key, revoke_key, rotate_key
from spendmeter.platform.sql import load_sql

KEYS_MAX = 1_000
"""Live ones of a tenant: every process holds them all."""
PAGE_MAX = 200
MISSING = "no such key"

SQL = load_sql(Path(__file__).with_name("keys.sql"))
router = APIRouter(tags=["keys"], route_class=Negotiated)

OwnKeyId = Annotated[str, InPath(max_length=64, description="k and 12 digits, as the list shows it")]


@router.get("/v1/keys", responses=answers("keys"))
async def list_keys(
    request: Request,
    caller: Writer,
    state: KeyState | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    cursor: str = "",
) -> KeyList:
    """The tenant's keys, newest first: what each may do, and when it was last used."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    after = decode_cursor(cursor, tuple[Instant, str]) if cursor else (soon, "")
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], *after, state, None, limit + 1)
    keys, more = page(KeyAnswer, rows, limit, lambda row: (row["created_at"], row["key_id"]))
    return KeyList(keys=keys, next_cursor=more)


@router.get("/v1/keys/{key_id}", responses=answers("key", missing=MISSING))
async def get_key(request: Request, caller: Writer, key_id: OwnKeyId) -> KeyAnswer:
    """One key."""
    async with database_of(request).reading(caller.tenant) as connection:
        return KeyAnswer(**await _stated(connection, key_id))


@router.post("/v1/keys", status_code=201, responses=answers("made_key", status=201))
async def make_key(request: Request, caller: Writer, body: NewKey) -> MadeKey:
    """Make a key. The answer is the only one that shows it; it works within 10 s. A key gives no scope that
    it lacks, and nothing that outlives it."""
    if {"ingest", "import"} <= set(body.scopes):
        raise invalid("scopes", "a key sends usage (ingest) or bills (import): make two")
    now = datetime.now(UTC)
    expires_at = now + timedelta(days=body.expires_days) if body.expires_days else None
    refuse_scopes(caller, body.scopes)
    refuse_lasting(caller, expires_at)
    refuse_trust(caller, asked=body.trust_reported_cost or body.events_per_minute is not None)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        if (await connection.fetchrow(SQL["live"]))["keys"] >= KEYS_MAX:
            raise too_many("live keys", KEYS_MAX)
        key = await create_key(
            connection,
            caller.tenant,
            list(dict.fromkeys(body.scopes)),
            name=body.name,
            expires_at=expires_at,
            trust_reported_cost=body.trust_reported_cost,
            events_per_minute=body.events_per_minute,
        )
        return MadeKey(**await _stated(connection, key.split("_")[2]), key=key)


@router.post("/v1/keys/{key_id}/rotate", responses=answers("made_key", missing=MISSING))
async def rotate(request: Request, caller: Writer, key_id: OwnKeyId, body: Rotation) -> MadeKey:
    """Give a key a second secret: its id stays, and with it budgets, rules and what it has spent. Both
    secrets open until the grace is over. Who rotates a key could use it, so nobody rotates one that can do
    more."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        row = await _stated(connection, key_id)
        if key_id != caller.key_id:
            refuse_scopes(caller, row["scopes"])
            refuse_lasting(caller, row["expires_at"])
            refuse_trust(caller, asked=row["trust_reported_cost"])
        try:
            key = await rotate_key(connection, key_id, grace=timedelta(hours=body.grace_hours))
        except StillRotating as still:
            detail = f"{still}. Wait until then, or end both with grace_hours 0"
            raise HttpRefusal(409, "Being rotated", detail) from None
        if key is None:
            raise HttpRefusal(409, "Over", f"key {key_id} is {row['state']}: make a new one")
        return MadeKey(**await _stated(connection, key_id), key=key)


@router.delete("/v1/keys/{key_id}", responses=answers("key", missing=MISSING))
async def revoke(request: Request, caller: Writer, key_id: OwnKeyId) -> KeyAnswer:
    """Revoke a key, for good: it stops working everywhere within 10 s, and so do its sessions. The tenant's
    last one that may change everything only an operator revokes."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        row = await _stated(connection, key_id)
        if row["state"] == "live" and "admin" in row["scopes"] and not await _dispensable(connection, caller):
            raise last_admin(f"key {key_id}", "make another first, or rotate it without grace")
        await revoke_key(connection, key_id)
        return KeyAnswer(**await _stated(connection, key_id))


async def _dispensable(connection: TenantConnection, caller: Caller) -> bool:
    """Whether an admin's key can go."""
    return caller.operator or (await connection.fetchrow(SQL["live"]))["admins"] > 1


async def _stated(connection: TenantConnection, key_id: str) -> dict[str, Any]:
    """A key of the tenant's as it is. Raises HttpRefusal (404)."""
    ever = datetime.max.replace(tzinfo=UTC)
    row = await connection.fetchrow(SQL["list"], ever, "", None, key_id, 1)
    if row is None:
        raise not_found(f"the tenant has no key {key_id!r:.40}")
    return dict(row)
