"""Whether a discount of AWS' report that has rows of its own is in the costs of usage already. Pure.

Net costs are what they are after discounts (AWS' data dictionary), and a discount's own net cost is 0 then.
Where it has none, what is said of usage decides.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

from services.api.invoices.adding import AddedLines
from services.api.invoices.billed import InvoiceLine
from spendmeter.contracts.money import EXACT, ZERO

IN_NET_COSTS = "discount that net costs have in them already"
PERHAPS_TWICE = "discount that may be in net costs already"
DiscountStanding = Literal["apart", "in it", "either"]


class Costed(NamedTuple):
    """A row with what it is before and after discounts; None = the report does not say."""

    line: InvoiceLine
    gross: Decimal | None
    net: Decimal | None
    is_discount: bool


class Discounts:
    """`see` each row of a report; then `standing` says how its discounts without a net cost stand."""

    def __init__(self) -> None:
        self.lines = AddedLines()
        self.rows = 0
        self.sums: dict[str, Decimal] = {}
        self._is_some_less = self._is_some_untold = False

    def see(self, row: Costed) -> bool:
        """Whether it is kept here until all are seen. Raises BillError."""
        if not row.is_discount:
            self._is_some_less = self._is_some_less or (row.net is not None and row.net != row.gross)
            self._is_some_untold = self._is_some_untold or (row.net is None and bool(row.gross))
            return False
        if row.net is not None:
            return False
        self.lines.add(row.line)
        self.rows += 1
        currency = row.line.currency
        self.sums[currency] = EXACT.add(self.sums.get(currency, ZERO), row.line.amount or ZERO)
        return True

    @property
    def standing(self) -> DiscountStanding:
        """apart: no usage is less by them; in it: all usage has a net cost; either: some has none, and nobody
        can tell whose they are."""
        if not self._is_some_less:
            return "apart"
        return "either" if self._is_some_untold else "in it"
