"""Reads what an incident's series cost and used, and before: one statement, whatever the tenant's size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.alerts.cause.references import References, references
from services.alerts.cause.weighing import SeriesUse, SpanName, SpanUse, UnitPrices, Weights
from services.alerts.counting.counter_reader import Turn
from services.alerts.scopes import MINUTE
from spendmeter.book.reading import Coverage, one_instant, spent_in
from spendmeter.book.units import UNIT_COLUMNS, UNIT_PARTS
from spendmeter.contracts.money import divided
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("leaves.sql"), UNIT_PARTS)
LARGEST_EXCESS = 200
SERIES_MAX = 2_000
"""What a cause is looked for in: the series that rose most, and then those that may speak against it."""
READ_S_MAX = 5.0


@dataclass(frozen=True, kw_only=True)
class CauseQuestion:
    """An incident, as it opens: what its cause is asked of."""

    tenant: str
    calendar: Timeline
    currency: str
    scope: Mapping[str, str]
    """Values by dimension; {} = all of the tenant."""
    began: datetime
    """In its first minute."""
    now: datetime
    bill_keys: Collection[str] = field(default_factory=tuple)
    """Keys by which bills come: what they say is not looked at."""
    without: Sequence[Mapping[str, str]] = ()
    """Scopes whose money something else explains."""


class CauseReading(NamedTuple):
    """What the book says: series, and how long they are about; unit prices on the days before and of now."""

    series: list[SeriesUse]
    weights: Weights
    prices_before: UnitPrices
    prices_now: UnitPrices


async def read_series(
    pool: asyncpg.Pool[asyncpg.Record], turn: Turn, question: CauseQuestion
) -> CauseReading:
    """At one instant of the book, in the tenant's turn. Raises CONNECTION_ERRORS, TimeoutError too."""
    first_seen = await pool.fetchval(SQL["first_seen"], question.tenant)
    against = references(question.began, first_seen, question.calendar)
    lasts = max(question.now - against.began, timedelta(seconds=1))
    weights = Weights(now=lasts, before=against.length_before, days=against.length_of_days)
    async with turn(), one_instant(pool) as connection:
        rows = await connection.fetch(
            SQL["leaves"], *await _pieces(connection, question, against),
            question.currency, dict(question.scope), against.began, against.before[0],
            _ratio(lasts, against.length_before), _ratio(lasts, against.length_of_days),
            LARGEST_EXCESS, SERIES_MAX, sorted(question.bill_keys), timeout=READ_S_MAX,
        )  # fmt: skip
        today = against.began.astimezone(UTC).date()
        since = min((start for start, _ in against.days), default=against.began).astimezone(UTC).date()
        known = {row["series_id"] for row in rows if row["series_id"] is not None}
        priced = await connection.fetch(
            SQL["unit_prices"], question.tenant, known, question.currency, since, today, timeout=READ_S_MAX
        )
    return CauseReading(_series(rows), weights, _prices(priced, now=False), _prices(priced, now=True))


async def _pieces(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    question: CauseQuestion,
    against: References,
) -> Coverage:
    """The incident's minutes and those of its references."""
    end = question.now.replace(second=0, microsecond=0) + MINUTE
    spans = [*against.days, against.before, (against.began, end)]
    covered = await spent_in(connection, question.tenant, [*against.edges, end], question.calendar)
    return covered.only([piece for span in spans for piece in covered.within(*span).pieces()])


def _ratio(lasts: timedelta, over: timedelta) -> Decimal:
    if not over:
        return Decimal(0)
    unit = timedelta(microseconds=1)
    return divided(Decimal(lasts // unit), Decimal(over // unit))


def _series(rows: list[asyncpg.Record]) -> list[SeriesUse]:
    found: dict[bytes | None, SeriesUse] = {}
    for row in rows:
        series_id = row["series_id"]
        if series_id not in found:
            named = {name: value for name, value in (row["dimensions"] or {}).items() if value}
            found[series_id] = SeriesUse(dimensions=named)
        span: SpanName = row["span"]
        found[series_id].spans[span] = SpanUse(
            amount=row["effective"], provisional=row["provisional"], events=Decimal(row["events"]),
            unpriced_events=int(row["unpriced_events"]),
            quantities={unit: row[unit] for unit in UNIT_COLUMNS if row[unit] is not None},
        )  # fmt: skip
    return list(found.values())


def _prices(rows: list[asyncpg.Record], *, now: bool) -> UnitPrices:
    found: defaultdict[tuple[str, str], dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        if row["now"] is now:
            price = divided(row["effective"], row["quantity"])
            found[row["provider"], row["sku"]][row["unit"]] = price
    return found
