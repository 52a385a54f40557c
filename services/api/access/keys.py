"""Which keys and sessions are live, and who has which role: a snapshot of all, so that nobody's guess reaches
Postgres."""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.api.database.transactions import ITSELF, Database
from spendmeter.contracts.permissions import ROLES
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.keys import OPERATOR, StoredKey, parse_key
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.trusted_issuers import TrustedIssuer

SQL = load_sql(Path(__file__).with_name("keys.sql"))

SNAPSHOT_S = 5.0
"""How long a snapshot is trusted; a revocation must take effect within 10 s."""
AGAIN_S = 1.0
"""What a snapshot does not know may be new: it is read again, once in so long, and who asks waits for it."""
READ_S_MAX = 4.0
"""Who has waited for so long is told to come back: with SNAPSHOT_S below the 10 s of a revocation."""
SESSION_LASTS = timedelta(hours=8)
SESSIONS_OF_A_KEY_MAX = 100
TOKEN_BYTES = 32
UNPINNED_S = 60.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, kw_only=True)
class ApiCredential(StoredKey):
    """A live key, and what it may do."""

    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PersonCredential:
    """A person with a role of a tenant, and what it lets do; `team` '' = of all of the tenant."""

    person_id: str
    tenant: str
    scopes: tuple[str, ...]
    team: str


@dataclass(frozen=True, kw_only=True)
class _OpenSession:
    """Of a key, or of a person (tenant and id)."""

    key_id: str | None
    person: tuple[str, str]
    ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    read_at_s: float
    keys: Mapping[str, Any] = field(repr=False)
    """The rows as they were read, by key id: of a hundred thousand keys few are asked for."""
    people: Mapping[tuple[str, str], tuple[str, str]] = field(repr=False)
    """Role and team of each person, by tenant and id."""
    sessions: dict[bytes, _OpenSession] = field(repr=False)
    """By the token's hash. Our own log-ins and log-outs are put in at once."""

    def credential(self, key_id: str) -> ApiCredential | None:
        row = self.keys.get(key_id)
        return None if row is None else ApiCredential(**{**row, "scopes": tuple(row["scopes"])})

    def person(self, tenant: str, person_id: str) -> PersonCredential | None:
        role, team = self.people.get((tenant, person_id), ("", ""))
        if role not in ROLES:
            return None
        return PersonCredential(person_id=person_id, tenant=tenant, scopes=ROLES[role].scopes, team=team)


class ApiKeys:
    """Answers whose a key or a session is, and what a person may do."""

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.monotonic, again_s: float = AGAIN_S
    ) -> None:
        self._database = database
        self._clock = clock
        self._again_s = again_s
        self.uses: KeyUses | None = None
        self._snapshot: _Snapshot | None = None
        self._reading: asyncio.Task[None] | None = None

    async def by_key(self, text: str, now: datetime) -> ApiCredential | None:
        """None for a key that is unknown, wrong, expired or revoked. Raises CONNECTION_ERRORS."""
        presented = parse_key(text)
        if presented is None:
            return None
        snapshot = await self._fresh()
        if presented.key_id not in snapshot.keys:
            snapshot = await self._newer(snapshot)
        stored = snapshot.credential(presented.key_id)
        if stored is None or not stored.opens(presented, now):
            return None
        if self.uses is not None:
            self.uses.note(stored.key_id, now)
        return stored

    async def by_person(self, tenant: str, person_id: str) -> PersonCredential | None:
        """None for whoever has no role of the tenant. Raises CONNECTION_ERRORS."""
        return (await self._fresh()).person(tenant, person_id)

    async def by_session(self, token: str, now: datetime) -> ApiCredential | PersonCredential | None:
        """None for a session that is unknown or over, or whose key or role is. Raises CONNECTION_ERRORS."""
        if not _TOKEN.fullmatch(token):
            return None
        digest = _digest(token)
        snapshot = await self._fresh()
        if digest not in snapshot.sessions:
            snapshot = await self._newer(snapshot)
        session = snapshot.sessions.get(digest)
        if session is None or now >= session.ends_at:
            return None
        if session.key_id is None:
            return snapshot.person(*session.person)
        stored = snapshot.credential(session.key_id)
        return None if stored is None or (stored.expires_at and now >= stored.expires_at) else stored

    async def open_session(self, credential: ApiCredential, now: datetime) -> str:
        """A token that stands for the key until SESSION_LASTS is over; the key's oldest goes when it has too
        many. Takes a turn of the key's tenant: raises TooMuch and AllBusy."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._database.writing(OPERATOR, credential.tenant, by=ITSELF) as connection:
            await connection.execute(
                SQL["open_session"],
                _digest(token),
                credential.key_id,
                SESSION_LASTS,
                SESSIONS_OF_A_KEY_MAX,
            )
        self._opened(token, credential.key_id, ("", ""), now)
        return token

    async def open_person_session(self, person: PersonCredential, now: datetime) -> str:
        """The same for a person."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._database.writing(OPERATOR, person.tenant, by=ITSELF) as connection:
            await connection.execute(
                SQL["open_person_session"],
                _digest(token),
                person.tenant,
                person.person_id,
                SESSION_LASTS,
                SESSIONS_OF_A_KEY_MAX,
            )
        self._opened(token, None, (person.tenant, person.person_id), now)
        return token

    def _opened(self, token: str, key_id: str | None, person: tuple[str, str], now: datetime) -> None:
        if self._snapshot is not None:  # one that is being read now may not know it: then it is read again
            self._snapshot.sessions[_digest(token)] = _OpenSession(
                key_id=key_id, person=person, ends_at=now + SESSION_LASTS
            )

    async def close_session(self, token: str) -> None:
        """Over, also in the hands of whoever copied it. An unknown token is nothing to close."""
        snapshot = await self._fresh()
        if _TOKEN.fullmatch(token) and _digest(token) in snapshot.sessions:
            async with self._database.writing(OPERATOR, by=ITSELF) as connection:
                await connection.execute(SQL["close_session"], _digest(token))
            if self._reading is not None:  # it may have begun before the session was closed
                await asyncio.wait({self._reading})
            if self._snapshot is not None:
                self._snapshot.sessions.pop(_digest(token), None)

    async def end_sessions_but(self, trusted: Sequence[TrustedIssuer]) -> None:
        """Over is every session of a person whom none of these vouches for, here within SNAPSHOT_S."""
        tenants, issuers = [each.tenant for each in trusted], [each.issuer for each in trusted]
        async with self._database.writing(OPERATOR, by=ITSELF) as connection:
            await connection.execute(SQL["end_sessions_but"], tenants, issuers)

    async def _newer(self, than: _Snapshot) -> _Snapshot:
        """The next snapshot, when it is time for it."""
        await asyncio.sleep(max(0.0, than.read_at_s + self._again_s - self._clock()))
        return await self._fresh(self._again_s)

    async def _fresh(self, age_s_max: float = SNAPSHOT_S) -> _Snapshot:
        """A snapshot not older than that. However many wait for it, it is read once, and where it cannot be
        read all of them hear it: one after the other, each would wait for those before."""
        asked_at_s = self._clock()
        async with asyncio.timeout(READ_S_MAX):
            while self._snapshot is None or asked_at_s - self._snapshot.read_at_s > age_s_max:
                if self._reading is None or self._reading.done():
                    self._reading = asyncio.create_task(self._read())
                await asyncio.shield(self._reading)
        return self._snapshot

    async def _read(self) -> None:
        read_at_s = self._clock()  # before the question: the answer is at least as young
        async with self._database.reading(OPERATOR) as connection:
            keys = await connection.fetch(SQL["live_keys"])
            people = await connection.fetch(SQL["live_people"])
            sessions = await connection.fetch(SQL["live_sessions"])
        self._snapshot = _Snapshot(
            read_at_s=read_at_s,
            keys={row["key_id"]: row for row in keys},
            people={(row["tenant"], row["person_id"]): (row["role"], row["team"]) for row in people},
            sessions={
                row["token_sha256"]: _OpenSession(
                    key_id=row["key_id"],
                    person=(row["of_tenant"], row["person_id"]),
                    ends_at=row["expires_at"],
                )
                for row in sessions
            },
        )


async def keep_ending_unpinned(keys: ApiKeys, trusted: Sequence[TrustedIssuer]) -> None:
    """Sessions of people by an issuer that was pinned and is not: at once when the process starts with it
    gone, and again for what another one opened that knew it still."""
    await keep_doing(
        lambda: keys.end_sessions_but(trusted),
        "sessions of issuers that are not pinned any more go on",
        every_s=UNPINNED_S,
        away=CONNECTION_ERRORS,
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
