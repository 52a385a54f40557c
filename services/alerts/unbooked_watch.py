"""Looks at what of one tenant's events was not booked, and acts on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg

from services.alerts.incidents import Incident, resolved
from services.alerts.store import Store
from services.alerts.unbooked import CALM, EVENTS_MIN, KeyCount, UnbookedLook
from services.alerts.unbooked_words import WINDOW, UnbookedWording
from services.alerts.verdicts import is_due
from spendmeter.platform.sql import load_sql

COUNTED_MAX = 20_000
"""Rows that one look counts, the newest: more in five minutes are far over any rate."""
KEYS_MAX = 100

SQL = load_sql(Path(__file__).with_name("sql") / "unbooked.sql")


@dataclass(frozen=True, kw_only=True)
class UnbookedWatch:
    """Of one tenant; it remembers nothing."""

    tenant: str
    pool: asyncpg.Pool[asyncpg.Record]
    store: Store
    turn: Callable[[], AbstractAsyncContextManager[None]]
    portal_url: str

    async def look(self, now: datetime, zone: ZoneInfo) -> None:
        """Open where too much of a key's is not booked, renew what goes on, end what is over."""
        counts = await self._counts(now)
        current = await self.store.current(self.tenant, now)
        wording = UnbookedWording(zone=zone, portal_url=self.portal_url)
        look = UnbookedLook(tenant=self.tenant, now=now, counts=counts, wording=wording)
        if proposed := look.proposals(current):
            named = replace(look, wording=await self._named(wording, proposed))
            await self.store.open(self.tenant, now, named.proposals)
        for incident in current:
            if incident.kind == "unbooked" and incident.state != "resolved":
                await self._follow(look, incident)

    async def _counts(self, now: datetime) -> list[KeyCount]:
        async with self.turn():
            rows = await self.pool.fetch(
                SQL["unbooked"], self.tenant, now - WINDOW, EVENTS_MIN // CALM, COUNTED_MAX, KEYS_MAX
            )
        return [KeyCount(**row) for row in rows]

    async def _follow(self, look: UnbookedLook, incident: Incident) -> None:
        if ending := look.ending(incident):
            over = resolved(look.renewed(incident), ending, look.now)
            await self.store.resolve(incident, look.wording.with_words(over))
        elif is_due(incident, look.now):
            await self.store.update(incident, look.wording.with_words(look.renewed(incident)))

    async def _named(self, wording: UnbookedWording, incidents: Sequence[Incident]) -> UnbookedWording:
        ids = sorted({incident.scope["key_id"] for incident in incidents} - {""})
        return replace(wording, key_names=await self.store.key_names(self.tenant, ids))
