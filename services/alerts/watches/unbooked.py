"""Looks at what of one tenant's events was not booked, and acts on it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.alerts.counting.counter_reader import FOREVER
from services.alerts.incidents.incident import open_of
from services.alerts.unbooked.unbooked import KeyCount, UnbookedLook, least_counted
from services.alerts.unbooked.words import WINDOW, UnbookedWording
from services.alerts.watches.look import Look, Rhythm
from spendmeter.platform.sql import load_sql

COUNTED_MAX = 20_000
"""Rows that one look counts, the newest: more in five minutes are far over any rate."""
KEYS_MAX = 100

SQL = load_sql(Path(__file__).parents[1] / "unbooked" / "unbooked.sql")


class UnbookedWatch(Look):
    """A `Look` at keys of whose events too many are not booked; it remembers nothing."""

    of = "unbooked"
    rhythm = Rhythm(woken=False)  # of what is not booked no total tells

    async def look(self, now: datetime) -> None:
        """Open where too much of a key's is not booked, renew what goes on, end what is over."""
        look = UnbookedLook(
            tenant=self.tenant,
            now=now,
            counts=await self._counts(now),
            rules=self.rules.of("unbooked"),
            wording=self.words(UnbookedWording, now),
        )
        current = await self.shared.store.current(self.tenant, now)
        await self.act(look, current, open_of("unbooked", current))
        self.evaluated("unbooked")

    async def _counts(self, now: datetime) -> list[KeyCount]:
        least = least_counted(self.rules.of("unbooked"))
        rows = await self.rows(SQL["unbooked"], now - WINDOW, least, COUNTED_MAX, KEYS_MAX, FOREVER)
        return [KeyCount(**row) for row in rows]
