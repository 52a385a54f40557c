"""Looks at what one tenant's keys spend past their reservations of hard budgets, and acts on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from services.alerts.incidents.following import named, renew
from services.alerts.incidents.incident import is_due
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.unreserved.unreserved import PastPart, UnreservedLook, is_open
from services.alerts.unreserved.words import UnreservedWording
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.service_keys import ACCRUALS, key_id
from spendmeter.platform.sql import load_sql

COUNTED_FOR = timedelta(days=1)
"""What is news is added up over so long."""

SQL = load_sql(Path(__file__).parents[1] / "unreserved" / "unreserved.sql")


class UnreservedWatch:
    """A `Look` at what no reservation kept within its budgets; it remembers nothing."""

    of: Pass = "unreserved"
    rhythm = Rhythm(every_s=5.0, woken=False)  # it is counted by the settler, a minute after it was booked

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        self._rules = rules

    def changed(self, span: BucketSpan) -> None:
        """No total says whether it was reserved."""

    async def look(self, now: datetime) -> None:
        """Open what is news, tell what has doubled, renew what goes on, end what is over."""
        store, rules = self._shared.store, self._rules.of("unreserved")
        terms = self._rules.calendar.at(now)
        parts = await self._parts(now, terms.currency)
        ours = [one for one in await store.current(self._tenant, now) if is_open(one)]
        if not parts and not ours:
            return
        look = UnreservedLook(
            tenant=self._tenant,
            now=now,
            currency=terms.currency,
            parts=parts,
            booked_by=(await self._shared.complete.read()).booked_by(now),
            rules=rules,
            wording=UnreservedWording(zone=terms.zone, portal_url=self._shared.portal_url),
        )
        if proposed := look.proposals(ours):
            worded = replace(look, wording=await named(store, look.wording, proposed))
            await store.open(self._tenant, now, worded.proposals)
        for incident in ours:
            ending = look.ending(incident)
            if ending or is_due(incident, now):
                await renew(store, look.wording, incident, look.renewed(incident), ending)
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="unreserved")

    async def _parts(self, now: datetime, currency: str) -> list[PastPart]:
        bills = (
            await self._shared.bill_keys.keys_of(self._tenant) if self._shared.bill_keys is not None else ()
        )
        unlike = [key_id(ACCRUALS), *bills]
        async with self._shared.turns.turn(self._tenant, self.of):
            rows = await self._shared.pool.fetch(
                SQL["unreserved"], self._tenant, now - COUNTED_FOR, currency, unlike
            )
        return [PastPart(**row) for row in rows]
