"""What entries are judged by beside their events: published terms and exchange rates, closed periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spendmeter.platform.sql import load_sql
from spendmeter.verify.closings import SQL as CLOSINGS_SQL
from spendmeter.verify.closings import Closings
from spendmeter.verify.entries import Entries
from spendmeter.verify.lines import ExchangeRate, read_rate
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL as VERIFY_SQL
from spendmeter.verify.terms import TermsHistory

SQL = load_sql(Path(__file__).with_name("sql") / "proof.sql")


@dataclass(kw_only=True)
class CatalogReader:
    """`renew` in the snapshot in which entries are read: no entry is judged by less than it was booked by."""

    rates: Mapping[str, ExchangeRate] = field(default_factory=dict)
    terms: TermsHistory = field(default_factory=TermsHistory)
    closings: Closings = field(default_factory=Closings)
    _known_by: str | None = None

    async def renew(self, connection: Any) -> None:
        """Read all again, where something was published or closed since."""
        known_by = await connection.fetchval(SQL["known_by"])
        if known_by == self._known_by:
            return
        self.rates = {
            row["id"]: read_rate(row["body"]) for row in await connection.fetch(VERIFY_SQL["rates"])
        }
        self.terms = TermsHistory(await connection.fetch(VERIFY_SQL["terms"]))
        self.closings = Closings(await connection.fetch(CLOSINGS_SQL["closings"]))
        self._known_by = known_by

    def entries(self, report: Report) -> Entries:
        """A judge of entries that reports there."""
        return Entries(report=report, rates=self.rates, terms=self.terms, closings=self.closings)
