"""Looks at what of one tenant's events was not booked, and acts on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from services.alerts.incidents.following import named, renew
from services.alerts.incidents.incident import Incident, is_due
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.unbooked.unbooked import CALM, EVERYBODYS, KeyCount, UnbookedLook
from services.alerts.unbooked.words import WINDOW, UnbookedWording
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.sql import load_sql

COUNTED_MAX = 20_000
"""Rows that one look counts, the newest: more in five minutes are far over any rate."""
KEYS_MAX = 100

SQL = load_sql(Path(__file__).parents[1] / "unbooked" / "unbooked.sql")


class UnbookedWatch:
    """A `Look` at keys of whose events too many are not booked; it remembers nothing."""

    of: Pass = "unbooked"
    rhythm = Rhythm(woken=False)  # of what is not booked no total tells

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared
        self._store = shared.store

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        self._rules = rules

    def changed(self, span: BucketSpan) -> None:
        """It reads all of it anyway."""

    async def look(self, now: datetime) -> None:
        """Open where too much of a key's is not booked, renew what goes on, end what is over."""
        counts = await self._counts(now)
        current = await self._store.current(self._tenant, now)
        wording = UnbookedWording(zone=self._rules.calendar.at(now).zone, portal_url=self._shared.portal_url)
        look = UnbookedLook(
            tenant=self._tenant, now=now, counts=counts, wording=wording, rules=self._rules.of("unbooked")
        )
        if proposed := look.proposals(current):
            named_look = replace(look, wording=await named(self._store, wording, proposed))
            await self._store.open(self._tenant, now, named_look.proposals)
        for incident in current:
            if incident.kind == "unbooked" and incident.state != "resolved":
                await self._follow(look, incident)
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="unbooked")

    async def _counts(self, now: datetime) -> list[KeyCount]:
        rules = (EVERYBODYS, *self._rules.of("unbooked"))
        least = min(int(rule.number("events_min")) for rule in rules) // CALM
        async with self._shared.turns.turn(self._tenant, self.of):
            rows = await self._shared.pool.fetch(
                SQL["unbooked"], self._tenant, now - WINDOW, least, COUNTED_MAX, KEYS_MAX
            )
        return [KeyCount(**row) for row in rows]

    async def _follow(self, look: UnbookedLook, incident: Incident) -> None:
        ending = look.ending(incident)
        if ending or is_due(incident, look.now):
            await renew(self._store, look.wording, incident, look.renewed(incident), ending)
