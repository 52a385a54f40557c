"""What verify takes as data before it judges entries: exchange rates, terms, and closings of periods."""

from typing import Any

from spendmeter.verify.closings import SQL as CLOSINGS_SQL
from spendmeter.verify.closings import Closings
from spendmeter.verify.entries import Entries
from spendmeter.verify.lines import read_rate
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.terms import TermsHistory


async def learn_catalog(connection: Any, entries: Entries, report: Report) -> None:
    """Let `entries` be judged by the catalog, with whose terms the table that services read must agree."""
    entries.rates = {row["id"]: read_rate(row["body"]) for row in await connection.fetch(SQL["rates"])}
    entries.terms = TermsHistory(await connection.fetch(SQL["terms"]))
    entries.closings = Closings(await connection.fetch(CLOSINGS_SQL["closings"]))
    rows = await connection.fetch(SQL["tenant_terms"])
    report.check("I4a", len(rows))
    for what, named in entries.terms.differences(rows):
        report.find("I4a", what, named)
