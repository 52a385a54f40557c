"""Sums by group and bucket out of the rollups: the top groups, and all others in one row."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.api.database.transactions import TenantConnection
from services.api.spend.closed import GroupSum
from services.api.spend.pages import GroupTotal, Page
from services.api.spend.question import Filters, SpendQuestion
from spendmeter.book.as_of import NOW, THEN
from spendmeter.book.units import UNIT_COLUMNS, UNIT_PARTS
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.platform.sql import load_sql

SUMS = ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")
_NEVER = datetime.min.replace(tzinfo=UTC)

SQL = load_sql(Path(__file__).with_name("spend.sql"), {**UNIT_PARTS, **NOW})
SQL_THEN = load_sql(Path(__file__).with_name("spend.sql"), {**UNIT_PARTS, **THEN})

BucketSums = defaultdict[tuple[str, int | None, int], GroupSum]
"""By (currency, place, bucket): place None = the others; buckets count from 1, and 0 is all of them."""


def statements(question: SpendQuestion) -> Mapping[str, str]:
    """As the book stands, or as it stood at the question's moment."""
    return SQL if question.moment is None else SQL_THEN


async def read_series(connection: TenantConnection, filters: Filters) -> list[bytes]:
    """The ids of every series that the filter lets through."""
    return [row["series_id"] for row in await connection.fetch(SQL["series"], filters)]


async def read_totals(
    connection: TenantConnection, question: SpendQuestion, own_currency: str
) -> list[GroupTotal]:
    """The range's sums: the tenant's own currency first, in each the named groups by amount, then the others.
    The rows of a currency always add up to all of it, whichever page they are of."""
    await connection.execute(SQL["join_by_hash"])
    rows = await connection.fetch(
        statements(question)["totals"],
        *question.parameters(),
        question.measure,
        question.cursor.skip,
        question.top,
    )
    return in_order([_total(row, question.group_by) for row in rows], question, own_currency)


def in_order(totals: list[GroupTotal], question: SpendQuestion, own_currency: str) -> list[GroupTotal]:
    """The tenant's own currency first, in each the named groups by place, then the others. Of nothing, and by
    nothing, there is one row all the same."""
    if not totals and not question.group_by:
        return [GroupTotal(currency=own_currency, place=1, others=0, group={}, spent=nothing())]
    return sorted(
        totals,
        key=lambda each: (each.currency != own_currency, each.currency, each.place is None, each.place or 0),
    )


def _total(row: Any, group_by: Sequence[str]) -> GroupTotal:
    named = row["place"] is not None
    return GroupTotal(
        currency=row["currency"],
        place=row["place"],
        others=row["others"],
        group=dict(zip(group_by, row["key"], strict=True)) if named else dict.fromkeys(group_by),
        spent=spent_of(row, row["last_minute"]),
        has_rest=row["usage"] is not None,
    )


def spent_of(row: Any, last_minute: datetime) -> GroupSum:
    """With the quantities that have a column of their own."""
    usage = {unit: row[unit] for unit in UNIT_COLUMNS if row[unit] is not None}
    return GroupSum(last_minute, {name: row[name] for name in SUMS}, usage)


def nothing() -> GroupSum:
    """Of a bucket in which nothing was spent."""
    return GroupSum(_NEVER, {name: 0 if "events" in name else ZERO for name in SUMS}, {})


def _named(totals: Sequence[GroupTotal]) -> list[dict[str, Any]]:
    """The page's groups, as the statements read them."""
    return [
        {"key": list(each.group.values()), "currency": each.currency, "place": each.place}
        for each in totals
        if each.place is not None
    ]


async def read_cells(
    connection: TenantConnection, question: SpendQuestion, totals: Sequence[GroupTotal], page: Page | None
) -> BucketSums:
    """Of every total and of the page's buckets; of a bucket in which nothing was spent the sums are 0. Where
    quantities are not asked for, some may not be there."""
    cells: BucketSums = defaultdict(nothing)
    for each in totals:
        cells[each.currency, each.place, 0] = each.spent
    if totals and page:
        await _add_buckets(connection, question, totals, page, cells)
    if question.with_usage and any(each.has_rest for each in totals):
        await _add_rest(connection, question, totals, page, cells)
    return cells


async def _add_buckets(
    connection: TenantConnection,
    question: SpendQuestion,
    totals: Sequence[GroupTotal],
    page: Page,
    cells: BucketSums,
) -> None:
    edges = question.edges[page.first - 1 : page.last + 1]
    if len(edges) < 2:
        return
    parameters = question.parameters(question.spent.within(edges[0], edges[-1]))
    for row in await connection.fetch(
        statements(question)["buckets"], *parameters, _named(totals), list(edges[:-1])
    ):
        cells[row["currency"], row["place"], page.first + row["n"] - 1] = spent_of(row, _NEVER)


async def _add_rest(
    connection: TenantConnection,
    question: SpendQuestion,
    totals: Sequence[GroupTotal],
    page: Page | None,
    cells: BucketSums,
) -> None:
    """Quantities that have no column of their own."""
    edges = question.edges[page.first - 1 : page.last + 1] if page else []
    for row in await connection.fetch(
        statements(question)["usage"], *question.parameters(), _named(totals), list(edges)
    ):
        currency, place, unit, n = row["currency"], row["place"], row["unit"], row["n"]
        numbers = [0, page.first + n - 1] if page and 0 < n < len(edges) else [0]
        for number in numbers:
            usage = cells[currency, place, number].usage
            usage[unit] = EXACT.add(usage.get(unit, ZERO), row["quantity"])
