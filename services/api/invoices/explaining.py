"""Why a model's day was billed at another amount than booked, as causes that sum to the difference. Pure.

From what was booked on, each move of usage is valued at the price of where it comes from and where it goes.
What is left then is of prices: discount, currency, rounding; and what is none of them stays unexplained.
"""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from services.api.invoices.moves import BilledCell, UsageMove
from spendmeter.contracts.money import EXACT, ZERO, prorated, total

CAUSES: Mapping[str, str] = tomllib.loads(Path(__file__).with_name("causes.toml").read_text("utf-8"))[
    "causes"
]
UNEXPLAINED = "unexplained"
_WORKING = Decimal("1E-10")
"""What prorating may leave: each move is rounded to twelve places."""
RATE_OFF_MAX = Decimal("0.05")
"""How far a bill's rate of exchange lies from that of the day, at most: what is more may be a price too."""
_add, _subtract = EXACT.add, EXACT.subtract


class CellWorth(NamedTuple):
    """What so much cost: never divided, so that a whole is a whole."""

    quantity: Decimal
    contracted: Decimal
    listed: Decimal


@dataclass(kw_only=True)
class BookedDay:
    """What the book has of a model's day, in the bill's currency."""

    priced: dict[BilledCell, CellWorth] = field(default_factory=dict)
    unpriced: dict[BilledCell, Decimal] = field(default_factory=dict)
    """Quantities without an amount."""
    beside: Decimal = ZERO
    """Amounts of no quantity: costs as they were reported."""
    left_out: Decimal = ZERO
    """Of what the provider's report leaves out: in no cell."""
    is_reported: bool = False
    """Of some of it the cost was reported, whatever was used: no quantities are compared."""
    is_provisional: bool = False
    is_converted: bool = False
    no_rate: str = ""
    """A currency that could not be converted: nothing is compared."""

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return _add(self.compared, self.left_out)

    @property
    def compared(self) -> Decimal:
        """But for what the report leaves out."""
        return total([self.beside, *(price.contracted for price in self.priced.values())])

    @property
    def listed(self) -> Decimal:
        """The same at list prices."""
        return total([self.beside, *(price.listed for price in self.priced.values())])

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it was booked."""
        return not (self.priced or self.unpriced or self.beside or self.left_out)

    @property
    def quantities(self) -> dict[BilledCell, Decimal]:
        """With and without a price."""
        found = defaultdict(lambda: ZERO, self.unpriced)
        for cell, price in self.priced.items():
            found[cell] = _add(found[cell], price.quantity)
        return dict(found)


@dataclass(kw_only=True)
class BilledDay:
    """What the bill has of it."""

    amount: Decimal = ZERO
    listed: Decimal | None = None
    tolerance: Decimal = ZERO
    quantities: dict[BilledCell, Decimal] | None = None
    """None = the bill states none."""
    priced: dict[BilledCell, CellWorth] = field(default_factory=dict)
    """Where an amount and a quantity are of the same cell."""
    is_by_cell: bool = False
    """Whether all of it is."""
    is_absent: bool = False
    """The bill has no line of it."""
    is_unknown: bool = False
    """It has one in words that are not known here."""


PriceOf = Callable[[BilledCell], CellWorth | None]


def explained(
    billed: BilledDay, booked: BookedDay, moves: Iterable[UsageMove], price_of: PriceOf
) -> dict[str, Decimal]:
    """By cause what it makes of the difference, and what no cause is known of; those that are not nothing."""
    causes: dict[str, Decimal] = defaultdict(lambda: ZERO)
    causes["left_out"] = _subtract(ZERO, booked.left_out)
    moves = list(moves)
    named = {move.cause for move in moves}
    if booked.is_empty and named <= {"unseen"}:
        is_usage = billed.amount > 0 and not billed.is_unknown  # a credit is none
        cause = "unseen" if is_usage else UNEXPLAINED
        return {cause: billed.amount} if billed.amount else {}
    if billed.is_absent and named <= {"unbilled"}:
        causes["unbilled"] = _subtract(ZERO, booked.compared)
        return {cause: amount for cause, amount in causes.items() if amount}
    worth, listed, known = booked.compared, booked.listed, not booked.is_reported
    steps = [
        UsageMove("unpriced", quantity, None, cell) for cell, quantity in booked.unpriced.items() if quantity
    ]
    for move in (*steps, *moves):
        for sign, cell in ((-1, move.out), (1, move.into)):
            if cell is None:
                continue
            price = price_of(cell)
            if price is None:
                known = False
                continue
            amount, at_list = (
                EXACT.multiply(sign, prorated(each, move.quantity, price.quantity))
                for each in (price.contracted, price.listed)
            )
            worth, listed = _add(worth, amount), _add(listed, at_list)
            causes[move.cause] = _add(causes[move.cause], amount)
    _of_prices(causes, billed, booked, worth=worth, listed=listed, known=known)
    return {cause: amount for cause, amount in causes.items() if amount}


def _of_prices(
    causes: dict[str, Decimal],
    billed: BilledDay,
    booked: BookedDay,
    *,
    worth: Decimal,
    listed: Decimal,
    known: bool,
) -> None:
    """What is left where all usage is where the bill has it: `worth` at what was agreed, `listed` without."""
    agreed = _subtract(worth, listed)
    left = _subtract(billed.amount, worth)
    tolerance = _add(billed.tolerance, _WORKING)
    if billed.listed is not None:
        discount: Decimal | None = _subtract(_subtract(billed.amount, billed.listed), agreed)
    else:
        by_rate = booked.is_converted and known and billed.is_by_cell
        discount = _not_given(left, agreed, worth, tolerance, by_rate=by_rate)
    if discount is None:
        causes[UNEXPLAINED] = _add(causes[UNEXPLAINED], left)
        return
    causes["discount"] = _add(causes["discount"], discount)
    left, worth = _subtract(left, discount), _add(worth, discount)
    cause = _cause_of_rest(billed, booked, left, worth=worth, tolerance=tolerance, known=known)
    causes[cause] = _add(causes[cause], left)


def _not_given(
    left: Decimal, agreed: Decimal, worth: Decimal, tolerance: Decimal, *, by_rate: bool
) -> Decimal | None:
    """Of a bill that does not say what was agreed: nothing, or all of that where it comes to the list price.
    None = by one rate of exchange it is given, by another it is not."""
    at_list = _add(left, agreed)
    if abs(left) <= tolerance or not agreed:
        return ZERO
    if abs(at_list) <= tolerance:
        return _subtract(ZERO, agreed)
    if not by_rate or not _may_be_a_rate(at_list, _subtract(worth, agreed)):
        return ZERO
    return None if _may_be_a_rate(left, worth) else _subtract(ZERO, agreed)


def _may_be_a_rate(off: Decimal, worth: Decimal) -> bool:
    return abs(off) <= EXACT.multiply(abs(worth), RATE_OFF_MAX)


def _cause_of_rest(
    billed: BilledDay,
    booked: BookedDay,
    left: Decimal,
    *,
    worth: Decimal,
    tolerance: Decimal,
    known: bool,
) -> str:
    if abs(left) <= tolerance:
        return "rounding"
    if not known and booked.unpriced:
        return "unpriced"
    if not known or not billed.is_by_cell:
        return UNEXPLAINED
    if booked.is_converted:
        return "currency" if _may_be_a_rate(left, worth) else UNEXPLAINED
    return "provisional" if booked.is_provisional else "price"
