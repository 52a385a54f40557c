"""Looks at what one tenant's keys spend past their reservations of hard budgets, and acts on it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.alerts.counting.counter_reader import FOREVER
from services.alerts.incidents.incident import open_of
from services.alerts.unreserved.unreserved import (
    COUNTED_FOR,
    PastPart,
    PastTold,
    UnreservedLook,
    counted_since,
    hour_of,
)
from services.alerts.unreserved.words import UnreservedWording
from services.alerts.watches.look import Look, Rhythm
from spendmeter.platform.sql import load_sql

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
        told = await self.shared.pool.fetch(SQL["told"], self.tenant, now - COUNTED_FOR)
        oldest = hour_of(now - COUNTED_FOR)
        since = counted_since((PastTold(**row) for row in told), oldest)
        asked = (FOREVER, oldest, list(since), list(since.values()))
        rows = await self.rows(SQL["unreserved"], currency, await self.keys_not_live(), *asked)
        return [PastPart(**row) for row in rows]
