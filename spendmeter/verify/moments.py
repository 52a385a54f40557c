"""What is added up by when it was recorded, for answers as the book stood, held against the entries."""

from decimal import Decimal
from typing import Any

from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE

ZERO = Decimal()
MOMENTS_MAX = 500
"""Held against the entries, of all that there are: the first, the last and every so many between them. What
came between two of these is compared as one sum."""
COLUMNS = (
    "events",
    "unpriced_events",
    "list",
    "contracted",
    "effective",
    "of_which_provisional",
    "corrected",
)


async def check_moments(connection: Any, report: Report) -> None:
    """I5, in the caller's snapshot: of what came after one moment, and happened before its quarter of an
    hour, the sums say what the entries do; and hours and days of them are their minutes."""
    report.check("I5", await connection.fetchval(SQL["apart_count"]))
    async for row in connection.cursor(SQL["apart_faults"], MOMENTS_MAX, prefetch=ROWS_AT_ONCE):
        _find(row, "its entries say", f"as it stood after {row['at']:%Y-%m-%dT%H:%M:%S.%fZ}", report)
    async for row in connection.cursor(SQL["apart_larger_faults"], prefetch=ROWS_AT_ONCE):
        _find(row, "its minutes say", f"{row['size']} recorded at {row['at']:%Y-%m-%dT%H:%M:%S.%fZ}", report)


def _find(row: Any, by_whom: str, when: str, report: Report) -> None:
    named = (
        f"{row['tenant']} {row['bucket']:%Y-%m-%dT%H:%MZ} series {row['series_id'].hex()} {row['currency']}, "
        f"{when}"
    )
    wrong = [
        f"{name} is {said or ZERO:f}, {by_whom} {should or ZERO:f}"
        for name, said, should in zip(COLUMNS, row["said"], row["should"], strict=True)
        if (said or 0) != (should or 0)
    ]
    report.find("I5", "; ".join(wrong), named)
