"""Reads a tenant's days for an export, in one snapshot of the book, from its first day to its last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from services.api.exports.changed_since import CellChange, apart, folded
from services.api.exports.charge_rows import CarriedDay, ChargeEntry, billed, charge_row
from services.api.exports.figures import Costs
from services.api.exports.layout import FocusRow, Layout
from services.api.exports.true_up_rows import TrueUps
from services.api.exports.usage_rows import (
    BillingAccount,
    CellPricing,
    CellUsage,
    MeterPrice,
    SeriesPiece,
    UsageRows,
    midnight,
    series_piece,
)
from spendmeter.book.entry import ENTRY_PARTS, SUMS, read_entry
from spendmeter.contracts.money import plain
from spendmeter.contracts.periods import add_months
from spendmeter.contracts.true_ups import SKU
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.charged import CHARGE_UNIT

SQL = load_sql(Path(__file__).with_name("exports.sql"), ENTRY_PARTS)
ROWS_AT_ONCE = 4_000
STATEMENT_S = 600.0
"""As `act_for` has it: until then the first rows must come."""
SERIES_KEPT_MAX = 20_000
_DAY = timedelta(days=1)
_BESIDE = ("", "", False, "", "", "reported", "", "", "", "beside the rows of bills", "", "")
"""How what is left is priced, as `MeterPrice` has it."""


@dataclass(kw_only=True)
class _Day:
    """A day of which not every cell is a row as it stands."""

    day: date
    changed: dict[date | None, dict[bytes, CellChange]] = field(default_factory=dict)
    """What corrections recorded after its month had ended did to it, by cell (None); and what was booked of
    it in other accounting periods, by these."""
    bills: set[bytes] = field(default_factory=set)
    """Series that have rows of bills."""
    left: dict[tuple[bytes, str], list[Decimal]] = field(default_factory=dict)
    """What their cells come to, without those rows, by series and currency."""

    @property
    def start(self) -> datetime:
        return midnight(self.day)

    @property
    def end(self) -> datetime:
        return midnight(self.day + _DAY)

    @property
    def month_end(self) -> datetime:
        return midnight(add_months(self.day.replace(day=1), 1))

    def changes(self, cell_id: bytes) -> list[tuple[date | None, CellChange]]:
        """Of a cell, in the order of periods."""
        found = [(period, cells[cell_id]) for period, cells in self.changed.items() if cell_id in cells]
        return sorted(found, key=lambda each: each[0] or date.min)

    def takes(self, used: CellUsage, series_id: bytes) -> bool:
        """Whether the cell is what rows of bills come to: it is added to what is left."""
        if series_id not in self.bills or used.pricing.price.unit not in ("", CHARGE_UNIT):
            return False
        self.add(series_id, used.pricing.price.currency, used.costs[:3], 1)
        return True

    def add(self, series_id: bytes, currency: str, costs: Sequence[str], sign: int) -> None:
        """`costs`: list, contracted, effective."""
        sums = self.left.setdefault((series_id, currency), [Decimal()] * 3)
        sums[:] = (SUMS.add(before, sign * Decimal(cost)) for before, cost in zip(sums, costs, strict=True))


@dataclass(kw_only=True)
class DayRows:
    """`rows` of [start, end) on `connection`, in a transaction that sees one instant. Held at once: some
    thousand rows, and what was corrected of one day after its month had ended."""

    connection: Any
    layout: Layout
    account: BillingAccount
    start: date
    end: date
    billed_days: frozenset[date]
    carried: Sequence[CarriedDay] = ()
    true_ups: TrueUps = field(default_factory=lambda: TrueUps((), (), date.min, date.min))
    series: dict[bytes, SeriesPiece] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._usage = UsageRows(self.layout, self.account)

    async def rows(self) -> AsyncIterator[list[FocusRow]]:
        """Some at a time, day by day: of each the bills' first, then what was used."""
        found = await self._fetch("corrected_days", midnight(self.start), midnight(self.end))
        corrected = {row["day"] for row in found} | self._carried_days()
        at = self.start
        for day in sorted(self.billed_days | corrected):
            async for rows in self._plain(at, day):
                yield rows
            async for rows in self._special(_Day(day=day), day in corrected):
                yield rows
            at = day + _DAY
        async for rows in self._plain(at, self.end):
            yield rows
        yield self.true_ups.rows(self.layout, self.account)

    def _carried_days(self) -> set[date]:
        """Days in UTC within the file of which something was carried."""
        found = set()
        for each in self.carried:
            day = max(each.since.astimezone(UTC).date(), self.start)
            while day < self.end and midnight(day) < each.until:
                found.add(day)
                day += _DAY
        return found

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        tenant = self.account.tenant
        rows: list[Any] = await self.connection.fetch(SQL[name], tenant, *arguments, timeout=STATEMENT_S)
        return rows

    async def _some(self, name: str, *arguments: Any) -> AsyncIterator[list[Any]]:
        cursor = await self.connection.cursor(SQL[name], self.account.tenant, *arguments)
        while rows := await cursor.fetch(ROWS_AT_ONCE, timeout=STATEMENT_S):
            yield rows

    async def _plain(self, start: date, end: date) -> AsyncIterator[list[FocusRow]]:
        """Days whose cells are rows as they stand. Postgres makes the next ones while these are written."""
        if start >= end:
            return
        cursor = await self.connection.cursor(SQL["cells"], self.account.tenant, start, end)
        cells = await cursor.fetch(ROWS_AT_ONCE, timeout=STATEMENT_S)
        while cells:
            await self._know(cell["series_id"] for cell in cells)
            coming = asyncio.ensure_future(cursor.fetch(ROWS_AT_ONCE, timeout=STATEMENT_S))
            await asyncio.sleep(0)  # it is asked for
            yield self._used(cells, None)
            cells = await coming

    async def _special(self, day: _Day, is_corrected: bool) -> AsyncIterator[list[FocusRow]]:
        if is_corrected:
            columns = [[each[place] for each in self.carried] for place in range(3)]
            of_day = day.start, day.end, day.month_end, *columns
            async for entries in self._some("corrections", *of_day):
                folded(day.changed.setdefault(None, {}), [read_entry(*entry) for entry in entries])
            async for entries in self._some("carried_entries", *of_day):
                for period, *entry in entries:
                    folded(day.changed.setdefault(period, {}), [read_entry(*entry)])
        if day.day in self.billed_days:
            day.bills = {row["series_id"] for row in await self._fetch("billed_series", day.day)}
            async for rows in self._charges(day):
                yield rows
        async for cells in self._some("cells", day.day, day.day + _DAY):
            await self._know(cell["series_id"] for cell in cells)
            yield self._used(cells, day)
        yield self._left(day)

    def _used(self, cells: Sequence[Any], special: _Day | None) -> list[FocusRow]:
        """Of cells whose series are known."""
        rows = []
        for cell in cells:
            day, cell_id, series_id, events, comes_to_nothing, quantity, cost, others, price = cell
            changes = special.changes(bytes.fromhex(cell_id)) if special else []
            if comes_to_nothing and not changes:
                continue
            costs = Costs.alike(cost) if others is None else Costs(cost, *others)
            used = CellUsage(day, cell_id, events, quantity, costs, self._usage.pricing(price))
            if special and special.takes(used, series_id):
                continue
            series = self.series[series_id]
            if series.sku == SKU and self.true_ups.takes(used, series_id):
                continue
            if not changes:
                rows.append(self._usage.row(used, series))
            else:
                rows += [self._usage.row(each, series) for each in apart(used, changes)]
        return rows

    async def _charges(self, day: _Day) -> AsyncIterator[list[FocusRow]]:
        """Rows of bills; what they come to is taken from what is left of their series."""
        await self._know(day.bills)
        waiting: list[ChargeEntry] = []
        async for entries in self._some("charges", day.start, day.end, sorted(day.bills)):
            waiting += [ChargeEntry._make(entry) for entry in entries]
            whole = _whole_events(waiting)
            yield self._billed(waiting[:whole], day)
            del waiting[:whole]
        yield self._billed(waiting, day)

    def _billed(self, entries: Sequence[ChargeEntry], day: _Day) -> list[FocusRow]:
        rows = []
        for _, of_event in groupby(entries, key=lambda entry: (entry.occurred_at, entry.identity)):
            for each in billed(list(of_event), day.month_end, self.carried):
                entry = each.entry
                day.add(entry.series_id, entry.currency, (entry.list, entry.contracted, entry.effective), -1)
                series = self.series[entry.series_id]
                rows.append(charge_row(self.layout, self.account, each, series))
        return rows

    def _left(self, day: _Day) -> list[FocusRow]:
        """What a series of bills has beside its rows: nothing, but where usage comes by the same key."""
        rows = []
        for (series_id, currency), amounts in day.left.items():
            if any(amounts):
                costs = Costs._make([*map(plain, amounts)] * 2)
                price = MeterPrice._make((*_BESIDE[:3], currency, *_BESIDE[4:10], currency, currency))
                used = CellUsage(
                    day.day, f"{series_id.hex()}/{currency}", 1, "1", costs, CellPricing.of(price)
                )
                rows.append(self._usage.row(used, self.series[series_id]))
        return rows

    async def _know(self, ids: Iterable[bytes]) -> None:
        wanted = set(ids)
        if unknown := wanted - self.series.keys():
            if len(self.series) + len(unknown) > SERIES_KEPT_MAX:
                self.series.clear()
                unknown = wanted
            for row in await self._fetch("series", list(unknown)):
                dimensions = msgspec.json.decode(row["dimensions"])
                self.series[row["series_id"]] = series_piece(self.layout, dimensions)


def _whole_events(entries: Sequence[ChargeEntry]) -> int:
    """How many of them are of events that end among them: the last one's may go on."""
    count = len(entries)
    while count and entries[count - 1].identity == entries[-1].identity:
        count -= 1
    return count
