"""Sums by group and bucket out of the minute rollups: the top groups, and all others in one row."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from services.api.database.transactions import TenantConnection
from spendmeter.contracts.money import ZERO, total
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.sql import load_sql

SUMS = ("events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional")
NOTHING: Mapping[str, Any] = {name: 0 if "events" in name else ZERO for name in SUMS}
"""The sums of a bucket in which nothing was spent."""

_NEVER = datetime.min.replace(tzinfo=UTC)

SQL = load_sql(Path(__file__).with_name("spend.sql"))

Measure = Literal["list", "contracted", "effective"]
Filters = Mapping[str, Sequence[str]]
Quantities = Mapping[str, Decimal]
Cell = tuple[str, int | None, int]
"""(currency, place, bucket): place None = the others; buckets count from 1."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is added up: [start, end) in UTC, by `group_by`. Of each currency `top` groups are named, after
    the first `skip`; `edges` are the buckets' starts and the end of the last."""

    start: datetime
    end: datetime
    group_by: Sequence[str]
    filters: Filters
    measure: Measure
    skip: int
    top: int
    edges: Sequence[datetime]

    @property
    def parameters(self) -> list[Any]:
        """The first fourteen of every statement but `series`."""
        return [*allowed(self.filters), self.start, self.end, list(self.group_by)]


@dataclass(frozen=True, kw_only=True)
class GroupTotal:
    """One row: a group of one currency, or (place None) all the groups of that currency that the page does
    not name, of which there are `others`. `last_minute` = the last in which any of them spent."""

    currency: str
    place: int | None
    others: int
    group: Mapping[str, str | None]
    last_minute: datetime
    sums: Mapping[str, Any]


def allowed(filters: Filters) -> list[Sequence[str] | None]:
    """The values that each dimension may have, in the order of DIMENSIONS; None = any."""
    return [filters.get(dimension) for dimension in DIMENSIONS]


async def read_series(connection: TenantConnection, filters: Filters) -> list[bytes]:
    """The ids of every series that the filter lets through."""
    return [row["series_id"] for row in await connection.fetch(SQL["series"], *allowed(filters))]


async def read_totals(connection: TenantConnection, wanted: Wanted, own_currency: str) -> list[GroupTotal]:
    """The range's sums: the tenant's own currency first, in each the named groups by amount, then the others.
    The rows of a currency always add up to all of it, whichever page they are of."""
    await connection.execute(SQL["join_by_hash"])
    rows = await connection.fetch(SQL["totals"], *wanted.parameters, wanted.measure, wanted.skip, wanted.top)
    totals = [_total(row, wanted.group_by) for row in rows]
    if not totals and not wanted.group_by:
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


def has_more(totals: Sequence[GroupTotal], wanted: Wanted) -> bool:
    """Whether some currency has groups after those of this page."""
    return any(each.others > wanted.skip for each in totals)


def _named(totals: Sequence[GroupTotal]) -> list[dict[str, Any]]:
    """The page's groups, as the statements read them."""
    return [
        {**dict.fromkeys(DIMENSIONS, ""), **each.group, "currency": each.currency, "place": each.place}
        for each in totals
        if each.place is not None
    ]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of a series: every bucket has one for every total, in their order. This page is of the buckets
    `first` to `last` (from 1), beginning with row `row` of the first."""

    first: int
    last: int
    row: int
    rows_max: int

    def cells(self, totals: Sequence[GroupTotal]) -> list[tuple[int, GroupTotal]]:
        """Bucket and total of each row."""
        every = [(n, each) for n in range(self.first, self.last + 1) for each in totals]
        return every[self.row : self.row + self.rows_max]


def page_of(
    totals: Sequence[GroupTotal],
    edges: Sequence[datetime],
    place: tuple[int, int],
    rows_max: int,
    now: datetime,
) -> tuple[Page, tuple[int, int] | None]:
    """The page that begins at `place` = (bucket, row), and where the next one does (None = it was the last).

    A bucket that has not begun has rows only when something in it, or after it, was spent: what is to come is
    unknown, not 0.
    """
    a_bucket = max(1, len(totals))
    first, row = place[0] + place[1] // a_bucket, place[1] % a_bucket
    started = bisect_right(edges, now, hi=len(edges) - 1)
    spent = max((bisect_right(edges, each.last_minute) for each in totals), default=0)
    buckets = max(started, spent)
    beyond = (first - 1) * a_bucket + row + rows_max
    page = Page(first=first, last=min(buckets, (beyond - 1) // a_bucket + 1), row=row, rows_max=rows_max)
    if beyond >= buckets * a_bucket:
        return page, None
    return page, (beyond // a_bucket + 1, beyond % a_bucket)


async def read_buckets(
    connection: TenantConnection, wanted: Wanted, totals: Sequence[GroupTotal], page: Page
) -> dict[Cell, Mapping[str, Any]]:
    """The sums of the page's buckets; what was not spent in is not there."""
    edges = wanted.edges[page.first - 1 : page.last + 1]
    if len(edges) < 2 or not totals:
        return {}
    parameters = wanted.parameters
    parameters[-3:-1] = max(wanted.start, edges[0]), min(wanted.end, edges[-1])
    rows = await connection.fetch(SQL["buckets"], *parameters, _named(totals), list(edges[:-1]))
    return {
        (row["currency"], row["place"], page.first + row["n"] - 1): {name: row[name] for name in SUMS}
        for row in rows
    }


async def read_quantities(
    connection: TenantConnection, wanted: Wanted, totals: Sequence[GroupTotal], page: Page | None
) -> dict[Cell, dict[str, Decimal]]:
    """Quantities by unit of every total (bucket 0), and of the page's buckets."""
    if not totals:
        return {}
    edges = wanted.edges[page.first - 1 : page.last + 1] if page else []
    rows = await connection.fetch(SQL["usage"], *wanted.parameters, _named(totals), list(edges))
    cells: defaultdict[Cell, dict[str, Decimal]] = defaultdict(dict)
    parts: defaultdict[tuple[str, int | None, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        parts[row["currency"], row["place"], row["unit"]].append(row["quantity"])
        if page and 0 < row["n"] < len(edges):
            cells[row["currency"], row["place"], page.first + row["n"] - 1][row["unit"]] = row["quantity"]
    for (currency, place, unit), quantities in parts.items():
        cells[currency, place, 0][unit] = total(quantities)
    return dict(cells)
