"""Holds what is listed as booked in the place of something else against what the booked events say."""

from typing import Any

from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE
from spendmeter.verify.usage import Unreadable, read, superseded


async def check_supersessions(connection: Any, report: Report) -> None:
    """Each booked event that names another is listed with it, and nothing else is."""
    async for row in connection.cursor(SQL["supersessions"], prefetch=ROWS_AT_ONCE):
        try:
            event = read(row["event"])
        except Unreadable:
            continue  # no entry, or one that is named by who judges it
        finally:
            report.check("I1")
        should = superseded(event)
        listed = None if row["superseded"] is None else tuple(row)[2:]
        if listed != (should and (event.tenant, should, event.source, event.id)):
            what = "not said" if listed is None else "said of another, or not as the event says"
            report.find("I1", f"changed: in whose place it was booked is {what}", str(event))
