"""Cells: what was used and what it cost, by all that prices are told apart by. Pure.

A line of an event counts in the cell of its unit. The cell without a unit counts the event itself, once, with
what its lines leave of its amounts: mostly nothing. So all cells together are the book, to the last digit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import blake2b

import msgspec
from msgspec import Struct

from spendmeter.book.entry import SUMS, BookEntry, hex_bytes
from spendmeter.contracts.money import ZERO, normal_quantity
from spendmeter.contracts.rated import Line

NO_LINE = "without a line of its own"
"""The reason of a quantity that an event states and no line is about: one for the whole event is."""

CellPlace = tuple[str, date, bytes, str, str, bool, str]
"""(tenant, day in UTC, series id, tier, region, batch, currency): what cells of one event have in common."""
CellPrice = tuple[str, str, str, str, str, str, str, str]
"""(unit, status, price entry, factors, contracted entry, reason, priced in, contracted in): how a unit was
priced. The reason is there where no price entry is; factors are ids of the entries that state them."""
Amounts = Sequence[Decimal]
"""Six: list, contracted and effective as priced; then the same in book currency."""
_Part = tuple[CellPrice, int | Decimal, Decimal | Amounts]
"""The price, the quantity, and the amounts: one where all six are the same."""

DIGITS_MAX = 64
_NONE: Amounts = (ZERO,) * 6
_add, _subtract = SUMS.add, SUMS.subtract
_encode = msgspec.json.Encoder().encode


class Cell(Struct, gc=False):
    """A row of the table, or what is to be added to it."""

    tenant: str
    day: date
    cell_id: str
    series_id: str
    tier: str
    region: str
    batch: bool
    currency: str
    unit: str
    status: str
    entry: str
    factors: str
    contracted_entry: str
    reason: str
    priced_in: str
    contracted_in: str
    events: int
    quantity: Decimal
    list_priced: Decimal
    contracted_priced: Decimal
    effective_priced: Decimal
    list: Decimal
    contracted: Decimal
    effective: Decimal


@dataclass(slots=True)
class CellSum:
    """What is added to one cell."""

    events: int = 0
    quantity: int | Decimal = 0
    each: Decimal = ZERO
    """To be added to all six amounts."""
    amounts: Amounts = _NONE


class CellFold:
    """`add` entries, in any order; `rows` are what they add to the table."""

    def __init__(self) -> None:
        self._found: dict[CellPlace, dict[CellPrice, CellSum]] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            context = entry.stated.context
            place = (
                entry.tenant, entry.occurred_at.date(), entry.series_id, context.service_tier, context.region,
                context.batch, entry.currency,
            )  # fmt: skip
            cells = self._found.get(place)
            if cells is None:
                cells = self._found[place] = {}
            _add_entry(cells, entry)

    def rows(self) -> list[Cell]:
        """A row a cell."""
        found = self._found.items()
        return [_row(place, price, cell) for place, cells in found for price, cell in cells.items()]

    def __len__(self) -> int:
        return sum(map(len, self._found.values()))


def _add_entry(cells: dict[CellPrice, CellSum], entry: BookEntry) -> None:
    sign = entry.sign
    plus = _add if sign > 0 else _subtract
    try:
        parts = _parts(entry)
    except (ArithmeticError, ValueError):  # an amount that is none: the event counts with its sums alone
        parts = [_rest(entry, ZERO, ZERO)]
    for price, quantity, amounts in parts:
        cell = cells.get(price)
        if cell is None:
            cell = cells[price] = CellSum()
        cell.events += entry.events
        if type(quantity) is int and type(cell.quantity) is int:
            cell.quantity += sign * quantity
        else:
            cell.quantity = plus(Decimal(cell.quantity), quantity)
        if isinstance(amounts, Decimal):
            cell.each = plus(cell.each, amounts)
        elif amounts is not _NONE:
            cell.amounts = list(map(plus, cell.amounts, amounts))


def _parts(entry: BookEntry) -> list[_Part]:
    """What the lines of an entry count, and what is left: unsigned, as is what it reverses. Raises
    ArithmeticError and ValueError."""
    usage, currency = entry.stated.usage, entry.currency
    parts: list[_Part] = []
    same = listed = contracted = ZERO
    covered = 0
    for line in entry.lines:
        used = usage.get(line.unit)
        covered += used is not None
        quantity = used if line.quantity is None else normal_quantity(line.quantity)
        amounts: Decimal | Amounts
        if line.amount is None:
            amounts = _NONE
        elif line.contracted_amount is None and not line.currency:  # nearly every line
            amounts = Decimal(line.amount)
            same = _add(same, amounts)
        else:
            amounts = _amounts(line, line.amount, currency)
            listed, contracted = _add(listed, amounts[3]), _add(contracted, amounts[4])
        parts.append((_price(line, currency), quantity or 0, amounts))
    if covered < len(usage):
        for unit in usage.keys() - {line.unit for line in entry.lines}:
            price = (unit, entry.status, "", "", "", NO_LINE, currency, currency)
            parts.append((price, usage[unit], _NONE))
    _check_size(same)
    parts.append(_rest(entry, _add(same, listed), _add(same, contracted)))
    return parts


def _rest(entry: BookEntry, listed: Decimal, contracted: Decimal) -> _Part:
    """The event itself, and what lines of these sums leave of its amounts."""
    booked = [entry.list, entry.contracted, entry.effective]
    if entry.sign < 0:
        booked = [_subtract(ZERO, amount) for amount in booked]
    left = [*map(_subtract, booked, (listed, contracted, contracted))]
    price = ("", entry.status, "", "", "", "", entry.currency, entry.currency)
    return price, 0, left * 2 if any(left) else _NONE


def _price(line: Line, currency: str) -> CellPrice:
    factors = " ".join(factor.entry for factor in line.multipliers) if line.multipliers else ""
    priced_in = line.currency or currency
    return (
        line.unit, line.status, line.entry, factors, line.contracted_entry,
        "" if line.entry else line.reason, priced_in, line.contracted_currency or priced_in,
    )  # fmt: skip


def _amounts(line: Line, stated: str, currency: str) -> Amounts:
    amount = agreed = Decimal(stated)
    priced_in = line.currency or currency
    booked = agreed_booked = _in_book(amount, priced_in == currency, line.book_list)
    if line.contracted_amount is not None:
        agreed = Decimal(line.contracted_amount)
        contracted_in = line.contracted_currency or priced_in
        agreed_booked = _in_book(agreed, contracted_in == currency, line.book_contracted)
    for each in (amount, agreed, booked, agreed_booked):
        _check_size(each)
    return amount, agreed, agreed, booked, agreed_booked, agreed_booked


def _in_book(amount: Decimal, is_booked_in_it: bool, converted: str | None) -> Decimal:
    """In book currency: nothing where no exchange rate was known, and the line is unpriced."""
    if is_booked_in_it:
        return amount
    return ZERO if converted is None else Decimal(converted)


def _check_size(amount: Decimal) -> None:
    """Decimal takes NaN and any exponent; of such no exact sum can be made."""
    if not (amount.is_finite() and -DIGITS_MAX < amount.adjusted() < DIGITS_MAX):
        raise ValueError(f"{amount} is no amount")


def _row(place: CellPlace, price: CellPrice, cell: CellSum) -> Cell:
    tenant, day, series_id = place[:3]
    each, amounts = cell.each, cell.amounts
    amounts = [each] * 6 if amounts is _NONE else [_add(amount, each) for amount in amounts]
    cell_id = blake2b(_encode((*place[2:], *price)), digest_size=16).digest()
    return Cell(
        tenant, day, hex_bytes(cell_id), hex_bytes(series_id), *place[3:], *price, cell.events,
        Decimal(cell.quantity), *amounts,
    )  # fmt: skip
