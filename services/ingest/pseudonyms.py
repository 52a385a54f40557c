"""What users are called from the door on: a random name for a month, which can be forgotten.

Whose pseudonym is whose is a row in Postgres, under an HMAC of the name: where the row is deleted, nobody can
say any more (`docs/decisions/pseudonyms.md`). What was asked for before is remembered here, so that Postgres
is waited for by the first event of a user in a month alone.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
from msgspec.structs import force_setattr

from services.ingest.keys import AWAY
from services.ingest.refused import unavailable
from spendmeter.contracts.events import Labels
from spendmeter.contracts.series import FOLDED
from spendmeter.platform.postgres import connect
from spendmeter.platform.sql import load_sql

PSEUDONYM_BYTES = 16
PREFIX = "user:"
REMEMBERED_MAX = 200_000
"""Pseudonyms of all tenants in memory, about 250 bytes each; beyond them all are asked for again."""
USERS_MAX = 100_000
"""Of a tenant in a month. Further ones are one: who puts what varies into the user makes them without end."""
SETTLE_S_MAX = 3.0
SQL = load_sql(Path(__file__).with_name("pseudonyms.sql"))

KeyedUser = tuple[str, date, bytes]
"""Tenant, month, and the HMAC of the user's name under the tenant's key of the month."""


def keyed(secret: bytes, user: str) -> bytes:
    """The name under a month's key: 32 bytes of HMAC-SHA256."""
    return hmac.digest(secret, user.encode(), hashlib.sha256)


@dataclass
class UserNames:
    """One request's users: replaced at once where they are remembered, the others wait in `unsettled`."""

    known: Mapping[KeyedUser, str]
    unsettled: dict[KeyedUser, list[Labels]]

    def replace(self, labels: Labels, who: KeyedUser) -> None:
        """Put the pseudonym in the user's place; where nobody knows it yet, nothing, until it is settled."""
        pseudonym = self.known.get(who)
        force_setattr(labels, "user", pseudonym or "")
        if pseudonym is None:
            self.unsettled.setdefault(who, []).append(labels)


class Pseudonyms:
    """One a process: what users are called, by who they are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[KeyedUser, str] = {}
        self._erased: Mapping[str, int] = {}
        self._connection: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    def of_request(self, erasures: Mapping[str, int]) -> UserNames:
        """For one request; `erasures`: by tenant, the number of the last one. Of a tenant in which somebody
        was forgotten since, everything is."""
        if erasures is not self._erased:
            changed = {tenant for tenant, number in erasures.items() if self._erased.get(tenant) != number}
            if changed and self._known:
                self._known = {who: name for who, name in self._known.items() if who[0] not in changed}
            self._erased = erasures
        return UserNames(known=self._known, unsettled={})

    async def settle(self, names: UserNames) -> None:
        """Give every user of the request the pseudonym that the database has, or gets, for them. Raises
        RequestRefused 503 where it does not answer: nothing was taken."""
        if not names.unsettled:
            return
        erased = self._erased
        try:
            async with asyncio.timeout(SETTLE_S_MAX), self._one_at_a_time:
                found = await self._look_up(names.unsettled)
        except AWAY:
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None
            raise unavailable(
                "users who are new this month cannot be given pseudonyms while Postgres is away; send again"
            ) from None
        if len(self._known) + len(found) > REMEMBERED_MAX:
            self._known = {}
        for who, labels in names.unsettled.items():
            pseudonym = found.get(who)
            if pseudonym is not None and self._erased == erased:  # else it may be a forgotten one
                self._known[who] = pseudonym
            for each in labels:
                force_setattr(each, "user", pseudonym or FOLDED)

    async def _look_up(self, unsettled: Mapping[KeyedUser, object]) -> dict[KeyedUser, str]:
        if self._connection is None:
            self._connection = await connect(self._url, service="ingest")
        by_month: defaultdict[tuple[str, date], list[bytes]] = defaultdict(list)
        for tenant, month, user in unsettled:
            by_month[tenant, month].append(user)
        found: dict[KeyedUser, str] = {}
        for (tenant, month), users in sorted(by_month.items()):  # two processes never wait in a circle
            users.sort()
            made = [PREFIX + secrets.token_hex(PSEUDONYM_BYTES) for _ in users]
            await self._connection.execute(SQL["add"], tenant, month, users, made, USERS_MAX)
            rows = await self._connection.fetch(SQL["look_up"], tenant, month, users)
            found |= {(tenant, month, row["keyed_user"]): row["pseudonym"] for row in rows}
        return found
