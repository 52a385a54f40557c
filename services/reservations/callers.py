"""Who asks: a snapshot of all live keys, read every few seconds. No request waits for Postgres to know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from services.reservations.turns import AWAY, Pool
from spendmeter.platform.keys import OPERATOR, StoredKey, parse_key
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "snapshot.sql")
REFRESH_S = 5.0
"""Below the 10 s that a revocation may take."""
STALE_S_MAX = 3600.0
TENANT_HEADER = "x-spendmeter-tenant"
RESERVE, READ, ADMIN = "reserve", "read", "admin"


class NotAdmitted(Exception):
    """`status` 401, 403 or 503, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, kw_only=True)
class ReservingKey(StoredKey):
    """A key, and what it may do."""

    scopes: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ReservingCaller:
    """Whose budgets are asked about, and by which key."""

    tenant: str
    key_id: str


@dataclass(frozen=True, kw_only=True)
class KeySnapshot:
    """By key id, as of `read_at` (monotonic seconds)."""

    keys: Mapping[str, ReservingKey]
    tenants: frozenset[str]
    read_at: float


class Callers:
    """Run `keep_fresh` beside the server; `admit` a request by its headers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._snapshot: KeySnapshot | None = None

    def trouble(self) -> str:
        """Why nobody can be known; '' = they can."""
        if self._snapshot is None:
            return "the API keys have not been read from Postgres yet"
        if time.monotonic() - self._snapshot.read_at > STALE_S_MAX:
            return "Postgres has been away for more than an hour, and with it the API keys"
        return ""

    def admit(self, headers: Mapping[str, str], scopes: frozenset[str]) -> ReservingCaller:
        """Whoever presents a key with one of the scopes. Raises NotAdmitted."""
        if trouble := self.trouble():
            raise NotAdmitted(503, trouble)
        assert self._snapshot is not None
        return _admit(self._snapshot, headers, scopes, datetime.now(UTC))

    async def keep_fresh(self) -> None:
        """For ever; while Postgres is away the last snapshot stays."""
        await keep_doing(self.refresh, "API keys not read", every_s=REFRESH_S, away=AWAY)

    async def refresh(self) -> None:
        """Read all keys."""
        read_at = time.monotonic()  # before the question: the answer is at least as young
        rows = await self._pool.fetch(SQL["keys"])
        tenants = await self._pool.fetch(SQL["tenants"])
        keys = {
            row["key_id"]: ReservingKey(**dict(row) | {"scopes": frozenset(row["scopes"])}) for row in rows
        }
        self._snapshot = KeySnapshot(
            keys=MappingProxyType(keys),
            tenants=frozenset(row["tenant"] for row in tenants),
            read_at=read_at,
        )


def _admit(
    snapshot: KeySnapshot, headers: Mapping[str, str], scopes: frozenset[str], now: datetime
) -> ReservingCaller:
    scheme, _, text = headers.get("authorization", "").partition(" ")
    presented = parse_key(text.strip()) if scheme.lower() == "bearer" else None
    stored = snapshot.keys.get(presented.key_id) if presented else None
    if presented is None or stored is None or not stored.opens(presented, now):
        raise NotAdmitted(401, "send an API key that is in force: Authorization: Bearer sm_...")
    if scopes.isdisjoint(stored.scopes):
        raise NotAdmitted(403, f"key {stored.key_id} has none of the scopes {', '.join(sorted(scopes))}")
    named = headers.get(TENANT_HEADER, stored.tenant)
    if stored.tenant == OPERATOR and named not in snapshot.tenants:
        raise NotAdmitted(403, "an operator's key names the tenant: X-Spendmeter-Tenant")
    if stored.tenant not in (OPERATOR, named):
        raise NotAdmitted(403, f"key {stored.key_id} belongs to another tenant")
    return ReservingCaller(tenant=named, key_id=stored.key_id)
