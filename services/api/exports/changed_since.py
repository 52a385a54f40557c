"""What corrections did to cells since a day, told apart from what these were. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.api.exports.figures import Costs
from services.api.exports.usage_rows import CellUsage
from spendmeter.book.cells import CellFold
from spendmeter.book.entry import SUMS, BookEntry
from spendmeter.contracts.money import plain


class CellChange(NamedTuple):
    """Signed, of one cell: its figures in the order of `Costs`, after the quantity."""

    events: int
    quantity: Decimal
    list: Decimal
    contracted: Decimal
    effective: Decimal
    list_priced: Decimal
    contracted_priced: Decimal
    effective_priced: Decimal


def folded(found: dict[bytes, CellChange], entries: Iterable[BookEntry]) -> None:
    """Add these entries to what was found, by the cell's id."""
    fold = CellFold()
    fold.add(entries)
    for row in fold.rows():
        cell_id = bytes.fromhex(row.cell_id.removeprefix("\\x"))
        amounts = CellChange(
            row.events, row.quantity, row.list, row.contracted, row.effective, row.list_priced,
            row.contracted_priced, row.effective_priced,
        )  # fmt: skip
        before = found.get(cell_id)
        found[cell_id] = _sum(before, amounts) if before else amounts


def apart(used: CellUsage, changes: Sequence[tuple[date | None, CellChange]]) -> list[CellUsage]:
    """What the cell was, then what corrected it since, by where that was booked (None = in its own month):
    together they are the cell. What comes to nothing is left out."""
    found = []
    for billed_in, since in changes:
        used, change = _without_change(used, since)
        found.append(change._replace(billed_in=billed_in))
    return [each for each in (used, *found) if _says_something(each)]


def _without_change(used: CellUsage, since: CellChange) -> tuple[CellUsage, CellUsage]:
    then = used._replace(
        events=used.events - since.events,
        quantity=_without(used.quantity, since.quantity),
        costs=Costs._make(_without(cost, change) for cost, change in zip(used.costs, since[2:], strict=True)),
    )
    quantity, *costs = map(plain, since[1:])
    change = used._replace(
        events=since.events, quantity=quantity, costs=Costs._make(costs), correction="Correction"
    )
    return then, change


def _says_something(used: CellUsage) -> bool:
    return any(Decimal(figure) for figure in (used.quantity, *used.costs[:4]))


def _without(figure: str, change: Decimal) -> str:
    return plain(SUMS.subtract(Decimal(figure), change))


def _sum(one: CellChange, other: CellChange) -> CellChange:
    figures = map(SUMS.add, one[1:], other[1:])
    return CellChange(one.events + other.events, *figures)
