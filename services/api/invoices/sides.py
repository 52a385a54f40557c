"""What a bill and the book have of a model's day, by the cells that the bill tells apart. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.api.invoices.adding import off_together
from services.api.invoices.billed import UNKNOWN, InvoiceLine
from services.api.invoices.explaining import BilledDay, BookedDay, CellWorth
from services.api.invoices.moves import BilledCell
from services.api.invoices.vendor_words import ANYWHERE, SHORT, STANDARD
from spendmeter.contracts.money import EXACT, ZERO, total

_DIMENSIONS = ("tier", "context", "region")
_MEANT = {"tier": STANDARD, "context": SHORT, "region": ANYWHERE}
"""Where a bill tells things apart and a row or an event does not say."""
_add, _subtract = EXACT.add, EXACT.subtract


class BookedUse(Struct, frozen=True, kw_only=True):
    """What was booked of one thing on a day, in the currency that it was priced in; `model` as events say."""

    day: date
    model: str
    unit: str
    """As bills count it; '' = an amount of no quantity."""
    tier: str
    context: str
    region: str
    """'' = nobody knows: then it is not compared."""
    status: str
    currency: str
    quantity: Decimal
    contracted: Decimal
    listed: Decimal
    is_left_out: bool = False


RateOf = Callable[[str, date], Decimal | None]
"""How much of the bill's currency one of another was worth on a day."""


def told_of(rows: Sequence[InvoiceLine], uses: Iterable[BookedUse]) -> tuple[str, ...]:
    """What the bill tells apart wherever it states a quantity, and events did."""
    by_bill = [name for name in _DIMENSIONS if any(getattr(row, name) is not None for row in rows)]
    unknown = {name for use in uses for name in by_bill if not getattr(use, name)}
    return tuple(name for name in by_bill if name not in unknown)


def _cell(row: InvoiceLine | BookedUse, told: Collection[str]) -> BilledCell:
    of: dict[str, Any] = {
        name: (getattr(row, name) or _MEANT[name]) if name in told else "" for name in _DIMENSIONS
    }
    return BilledCell(row.unit, **of)


def billed_day(
    costs: Sequence[InvoiceLine], stated: Sequence[InvoiceLine], told: Collection[str]
) -> BilledDay:
    if not costs:
        return BilledDay(is_absent=True, quantities={})
    found = BilledDay(amount=total(row.amount or ZERO for row in costs), tolerance=off_by(costs))
    found.is_unknown = any(row.unit == UNKNOWN for row in costs)
    if all(row.listed is not None for row in costs):
        found.listed = total(row.listed or ZERO for row in costs)
    if not stated:
        return found
    quantities: dict[BilledCell, Decimal] = defaultdict(lambda: ZERO)
    for row in stated:
        cell = _cell(row, told)
        quantities[cell] = _add(quantities[cell], row.quantity or ZERO)
    found.quantities = dict(quantities)
    costs = [row for row in costs if row.amount or row.listed or _cell(row, told) in quantities]
    worth: dict[BilledCell, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for row in costs:
        sums = worth[_cell(row, told)]
        sums[0] = _add(sums[0], row.amount or ZERO)
        sums[1] = _add(sums[1], (row.amount if row.listed is None else row.listed) or ZERO)
    amounts, counts = _apart(costs), _apart(stated)
    is_alike = len(amounts) == len(worth) or amounts <= counts  # else amounts are told apart by more
    found.is_by_cell = is_alike and all(row.unit for row in costs) and worth.keys() <= quantities.keys()
    if found.is_by_cell:
        found.priced = {cell: CellWorth(quantities[cell], *sums) for cell, sums in worth.items()}
    return found


def _apart(rows: Iterable[InvoiceLine]) -> set[tuple[str | None, ...]]:
    return {(row.unit, *(getattr(row, name) for name in _DIMENSIONS)) for row in rows}


def booked_day(uses: Iterable[BookedUse], told: Collection[str], currency: str, rate_of: RateOf) -> BookedDay:
    found = BookedDay()
    for use in uses:
        contracted, listed = use.contracted, use.listed
        if use.currency != currency and (contracted or listed):
            rate = rate_of(use.currency, use.day)
            if rate is None:
                found.no_rate = use.currency
                continue
            contracted, listed = EXACT.multiply(contracted, rate), EXACT.multiply(listed, rate)
            found.is_converted = True
        if use.is_left_out:
            found.left_out = _add(found.left_out, contracted)
        elif not use.unit or use.status == "reported":
            found.is_reported |= use.status == "reported"
            found.beside = _add(found.beside, contracted)
        elif use.status == "unpriced":
            cell = _cell(use, told)
            found.unpriced[cell] = _add(found.unpriced.get(cell, ZERO), use.quantity)
        else:
            found.is_provisional |= use.status == "provisional"
            cell = _cell(use, told)
            was = found.priced.get(cell, CellWorth(ZERO, ZERO, ZERO))
            found.priced[cell] = CellWorth(
                _add(was.quantity, use.quantity), _add(was.contracted, contracted), _add(was.listed, listed)
            )
    return found


def differences_of(
    billed: Mapping[BilledCell, Decimal], booked: Mapping[BilledCell, Decimal]
) -> dict[BilledCell, Decimal]:
    cells = billed.keys() | booked.keys()
    return {cell: _subtract(billed.get(cell, ZERO), booked.get(cell, ZERO)) for cell in cells}


def off_by(rows: Iterable[InvoiceLine]) -> Decimal:
    return off_together(row.tolerance for row in rows)
