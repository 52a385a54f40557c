"""A bill that is a table, FOCUS' or AWS' own, as lines: each row is one, or is told, or ends the reading.
Pure but for reading its file."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import IO

from services.api.invoices import cur_rows, focus_rows
from services.api.invoices.adding import AddedLines
from services.api.invoices.billed import UNKNOWN, BillError, InvoiceLine, ProviderBill, storable
from services.api.invoices.net_costs import IN_NET_COSTS, PERHAPS_TWICE, Costed, Discounts
from services.api.invoices.table_cells import Beside, RowCells
from services.api.invoices.tables import Columns, Table, tables_of
from spendmeter.contracts.money import EXACT, ZERO, plain

_BESIDE_MAX = 12
"""Currencies and kinds of rows that are told one by one."""
_Read = Callable[[RowCells], InvoiceLine | Costed | Beside | None]


def read_tables(provider: str, file: IO[bytes]) -> ProviderBill:
    """What the file says of a provider's services. Raises BillError."""
    found = _Found()
    for table in tables_of(file):
        read, columns = _reader(provider, table)
        for cells in table.rows(columns):
            if (row := read(cells)) is not None:
                found.take(row)
    return found.bill(provider)


def _reader(provider: str, table: Table) -> tuple[_Read, Columns]:
    if cur_rows.is_report(table.header):
        if provider != cur_rows.PROVIDER:
            raise BillError(f"is AWS' cost and usage report: import it with provider={cur_rows.PROVIDER}")
        columns, needed = cur_rows.columns(table.header), cur_rows.NEEDED
        read: _Read = cur_rows.read_row
    else:
        columns, needed = focus_rows.columns(table.header), focus_rows.NEEDED
        read = partial(focus_rows.read_row, focus_rows.RULE_OF[provider])
    if missing := [name for name in needed if name not in columns]:
        raise BillError(
            "is neither a page of the provider's nor FOCUS nor AWS' cost and usage report: it has no column "
            f"{', '.join(missing[:3])}"
        )
    return read, columns


@dataclass
class _Found:
    lines: AddedLines = field(default_factory=AddedLines)
    days: set[date] = field(default_factory=set)
    beside: Counter[str] = field(default_factory=Counter)
    sums: dict[str, dict[str, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: ZERO))
    )
    discounts: Discounts = field(default_factory=Discounts)
    unknown: int = 0
    first_unknown: str = ""

    def take(self, row: InvoiceLine | Costed | Beside) -> None:
        """Raises BillError."""
        if isinstance(row, Beside):
            self.beside[row.what] += 1
            self.sums[row.what][row.currency[:3]] = EXACT.add(
                self.sums[row.what][row.currency[:3]], row.amount
            )
            return
        if isinstance(row, Costed):
            row = row._replace(line=storable(row.line))
            if self.discounts.see(row):
                return
            row = row.line
        self._take_line(storable(row))

    def _take_line(self, row: InvoiceLine, rows: int = 1) -> None:
        self.days.add(row.day)
        if row.unit == UNKNOWN:
            if not row.amount:
                return
            self.unknown += rows
            self.first_unknown = self.first_unknown or row.model
        self.lines.add(row, rows)

    def bill(self, provider: str) -> ProviderBill:
        """Raises BillError."""
        self._take_discounts()
        if not self.days:
            names = ", ".join(focus_rows.RULE_OF[provider].providers)
            raise BillError(f"has no row of usage of {provider}: {names}")
        return ProviderBill(
            provider=provider,
            rows=self.lines.lines(),
            days=tuple((day, "cost") for day in sorted(self.days)),
            notes=tuple(self._notes()),
        )

    def _take_discounts(self) -> None:
        standing = self.discounts.standing
        if standing == "in it":
            if self.discounts.rows:
                self.beside[IN_NET_COSTS] = self.discounts.rows
                self.sums[IN_NET_COSTS].update(self.discounts.sums)
            return
        for line, rows in self.discounts.lines.counted():
            if standing == "either":
                line = InvoiceLine(
                    day=line.day, kind=line.kind, model=f"{PERHAPS_TWICE}: {line.model}", unit=UNKNOWN,
                    amount=line.amount, currency=line.currency,
                )  # fmt: skip
            self._take_line(storable(line), rows)

    def _notes(self) -> list[str]:
        notes = []
        for what, count in sorted(self.beside.items())[:_BESIDE_MAX]:
            sums = sorted(self.sums[what].items())[:3]
            come_to = " and ".join(f"{plain(amount)} {currency}" for currency, amount in sums)
            notes.append(f"{count:,} rows of {what} are not compared: {come_to}")
        if self.unknown:
            notes.append(
                f"{self.unknown:,} rows are in words that are not known here, or of several days: what they "
                f"cost is unexplained; the first is {self.first_unknown[:80]!r}"
            )
        return notes
