"""Holds the accounting period of each entry against the closings: the second reader of where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.platform.sql import load_sql
from spendmeter.verify.report import Report
from spendmeter.verify.streams import ROWS_AT_ONCE

SQL = load_sql(Path(__file__).with_name("closings.sql"))
UNDER_WAY = timedelta(minutes=10)
"""A booking that began so long before an act may have seen it, and one after so long cannot be from before:
none lasts so long. An entry says when its booking began."""
NAMES = ("events", "list", "contracted", "effective")


class _Closing(NamedTuple):
    period: date
    asked_at: datetime
    closed_at: datetime | None
    reopened_at: datetime | None

    def held(self, at: datetime) -> bool:
        """Whether whoever began to book at `at` must have seen it."""
        still = self.reopened_at is None or at + UNDER_WAY < self.reopened_at
        return self.closed_at is not None and at > self.closed_at and still

    def may_have_held(self, at: datetime) -> bool:
        """Whether whoever began to book at `at` can have seen it."""
        still = self.reopened_at is None or at <= self.reopened_at + UNDER_WAY
        return self.asked_at - UNDER_WAY <= at and still


class Closings:
    """Every closing of every tenant: {tenant, period, asked_at, closed_at, reopened_at}."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._of: dict[str, list[_Closing]] = {}
        for row in rows:
            closing = _Closing(row["period"], row["asked_at"], row["closed_at"], row["reopened_at"])
            self._of.setdefault(row["tenant"], []).append(closing)

    def fault(self, tenant: str, due: date, period: date, recorded_at: datetime | None) -> str:
        """What is wrong with an entry of month `due` that is booked in `period`; '' = nothing is."""
        closings = self._of.get(tenant, ())
        if recorded_at is not None and any(
            each.period >= period and each.held(recorded_at) for each in closings
        ):
            return f"it was recorded in {period:%Y-%m} after that was closed"
        if period == due:
            return ""
        into = [each for each in closings if each.period >= due and _next(each.period) == period]
        if any(recorded_at is None or each.may_have_held(recorded_at) for each in into):
            return ""
        return f"accounting period is {period}"


def _next(period: date) -> date:
    return date(period.year + period.month // 12, period.month % 12 + 1, 1)


async def check_closings(connection: Any, report: Report) -> None:
    """What was carried into other periods, and what periods had at their close, is what the entries say."""
    for name, what in (("carried_faults", "carried"), ("closing_faults", "had at its close")):
        report.check("I5")
        async for row in connection.cursor(SQL[name], prefetch=ROWS_AT_ONCE):
            said, should = (dict(zip(NAMES, row[side], strict=True)) for side in ("said", "should"))
            wrong = [
                f"{name} {said[name] or 0}, its entries say {should[name] or 0}"
                for name in NAMES
                if (said[name] or 0) != (should[name] or 0)
            ]
            named = f"period {row['period']:%Y-%m} of {row['tenant']}, {row['currency']}"
            report.find("I5", f"{what}: {'; '.join(wrong)}", named)
