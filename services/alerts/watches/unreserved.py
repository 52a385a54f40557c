"""Looks at what one tenant's keys spend past their reservations of hard budgets, and acts on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from services.alerts.incidents.incident import open_of
from services.alerts.unreserved.unreserved import PastPart, UnreservedLook
from services.alerts.unreserved.words import UnreservedWording
from services.alerts.watches.look import Look, Rhythm
from spendmeter.platform.sql import load_sql

COUNTED_FOR = timedelta(days=1)
"""What is news is added up over so long."""

SQL = load_sql(Path(__file__).parents[1] / "unreserved" / "unreserved.sql")


class UnreservedWatch(Look):
    """A `Look` at what no reservation kept within its budgets; it remembers nothing."""

    of = "unreserved"
    rhythm = Rhythm(every_s=5.0, woken=False)  # it is counted by the settler, a minute after it was booked

    async def look(self, now: datetime) -> None:
        """Open what is news, tell what has doubled, renew what goes on, end what is over."""
        currency = self.rules.calendar.at(now).currency
        parts = await self._parts(now, currency)
        ours = open_of("unreserved", await self.shared.store.current(self.tenant, now))
        if not parts and not ours:
            return
        look = UnreservedLook(
            tenant=self.tenant,
            now=now,
            currency=currency,
            parts=parts,
            booked_by=(await self.shared.complete.read()).booked_by(now),
            rules=self.rules.of("unreserved"),
            wording=self.words(UnreservedWording, now),
        )
        await self.act(look, ours, ours)
        self.evaluated("unreserved")

    async def _parts(self, now: datetime, currency: str) -> list[PastPart]:
        rows = await self.rows(SQL["unreserved"], now - COUNTED_FOR, currency, await self.keys_not_live())
        return [PastPart(**row) for row in rows]
