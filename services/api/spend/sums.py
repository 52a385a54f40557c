"""Sums by group and bucket out of the rollups: the top groups, and all others in one row."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.api.database.transactions import TenantConnection
from services.api.spend.pages import GroupTotal, Page
from services.api.spend.question import Filters, SpendQuestion, allowed
from spendmeter.contracts.money import ZERO, total
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.sql import load_sql

SUMS = ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")
NOTHING: Mapping[str, Any] = {name: 0 if "events" in name else ZERO for name in SUMS}
"""The sums of a bucket in which nothing was spent."""

_NEVER = datetime.min.replace(tzinfo=UTC)

SQL = load_sql(Path(__file__).with_name("spend.sql"))

BucketSums = defaultdict[tuple[str, int | None, int], dict[str, Any]]
"""By (currency, place, bucket): place None = the others; buckets count from 1."""


async def read_series(connection: TenantConnection, filters: Filters) -> list[bytes]:
    """The ids of every series that the filter lets through."""
    return [row["series_id"] for row in await connection.fetch(SQL["series"], *allowed(filters))]


async def read_totals(
    connection: TenantConnection, question: SpendQuestion, own_currency: str
) -> list[GroupTotal]:
    """The range's sums: the tenant's own currency first, in each the named groups by amount, then the others.
    The rows of a currency always add up to all of it, whichever page they are of."""
    await connection.execute(SQL["join_by_hash"])
    rows = await connection.fetch(
        SQL["totals"], *question.parameters(), question.measure, question.cursor.skip, question.top
    )
    totals = [_total(row, question.group_by) for row in rows]
    if not totals and not question.group_by:
        return [
            GroupTotal(currency=own_currency, place=1, others=0, group={}, last_minute=_NEVER, sums=NOTHING)
        ]
    return sorted(
        totals,
        key=lambda each: (each.currency != own_currency, each.currency, each.place is None, each.place or 0),
    )


def _total(row: Any, group_by: Sequence[str]) -> GroupTotal:
    values = dict(zip(DIMENSIONS, row["key"], strict=True))
    return GroupTotal(
        currency=row["currency"],
        place=row["place"],
        others=row["others"],
        group={name: None if row["place"] is None else values[name] for name in group_by},
        last_minute=row["last_minute"],
        sums={name: row[name] for name in SUMS},
    )


def _named(totals: Sequence[GroupTotal]) -> list[dict[str, Any]]:
    """The page's groups, as the statements read them."""
    return [
        {**dict.fromkeys(DIMENSIONS, ""), **each.group, "currency": each.currency, "place": each.place}
        for each in totals
        if each.place is not None
    ]


async def read_cells(
    connection: TenantConnection, question: SpendQuestion, totals: Sequence[GroupTotal], page: Page | None
) -> BucketSums:
    """The sums and, where they are asked for, the quantities of every total (bucket 0) and of the page's
    buckets; of a bucket in which nothing was spent they are 0."""
    cells: BucketSums = defaultdict(lambda: {**NOTHING, "usage": {}})
    for each in totals:
        cells[each.currency, each.place, 0].update(each.sums)
    if totals and page:
        await _add_buckets(connection, question, totals, page, cells)
    if totals and question.with_usage:
        await _add_quantities(connection, question, totals, page, cells)
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
    for row in await connection.fetch(SQL["buckets"], *parameters, _named(totals), list(edges[:-1])):
        cell = cells[row["currency"], row["place"], page.first + row["n"] - 1]
        cell.update((name, row[name]) for name in SUMS)


async def _add_quantities(
    connection: TenantConnection,
    question: SpendQuestion,
    totals: Sequence[GroupTotal],
    page: Page | None,
    cells: BucketSums,
) -> None:
    edges = question.edges[page.first - 1 : page.last + 1] if page else []
    parts: defaultdict[tuple[str, int | None, str], list[Decimal]] = defaultdict(list)
    for row in await connection.fetch(SQL["usage"], *question.parameters(), _named(totals), list(edges)):
        currency, place, unit, n = row["currency"], row["place"], row["unit"], row["n"]
        parts[currency, place, unit].append(row["quantity"])
        if page and 0 < n < len(edges):
            cells[currency, place, page.first + n - 1]["usage"][unit] = row["quantity"]
    for (currency, place, unit), quantities in parts.items():
        cells[currency, place, 0]["usage"][unit] = total(quantities)
