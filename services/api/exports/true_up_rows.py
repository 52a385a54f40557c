"""What whole periods change, as rows of FOCUS: a commitment that is over as a purchase and what became of it,
every other true-up as what it adds. Pure.

Cells know a true-up's day and amount, but not its term. So where a cell is what the list of true-ups says of
its day, the list goes out in its place, and otherwise the cell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.api.exports.commitment_rows import CHARGES_MAX, commitment_rows
from services.api.exports.commitments import SettledCommitment, TermStood, settled, standing_words
from services.api.exports.figures import Costs
from services.api.exports.layout import FocusRow, Layout
from services.api.exports.usage_rows import (
    BillingAccount,
    CellPricing,
    CellUsage,
    MeterPrice,
    UsageRows,
    series_piece,
)
from spendmeter.contracts.money import EXACT, ZERO, plain
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.true_ups import SKU, UNIT

_Place = tuple[date, bytes, str]
"""(day, series, currency): what the cell of a true-up is of."""


class ListedTrueUp(NamedTuple):
    """What a period changes on a day, in one accounting period."""

    day: date
    term: str
    period_start: date
    accounting_period: date | None
    provider: str
    cost_class: str
    currency: str
    amount: Decimal

    @property
    def place(self) -> _Place:
        one = Series(cost_class=self.cost_class, provider=self.provider, sku=SKU)
        return self.day, series_id(one), self.currency


class TrueUps:
    """Of an export of [start, end): `takes` what cells have of them, and `rows` are what goes out instead."""

    def __init__(
        self, listed: Sequence[ListedTrueUp], standings: Iterable[TermStood], start: date, end: date
    ) -> None:
        self._standings = {(each.term, each.period_start): each for each in standings}
        self._listed = listed
        self._sums: defaultdict[_Place, Decimal] = defaultdict(lambda: ZERO)
        for each in listed:
            self._sums[each.place] = EXACT.add(self._sums[each.place], each.amount)
        self._taken = {place for place, amount in self._sums.items() if not amount}
        self._settled: dict[tuple[str, date], SettledCommitment] = {}
        for place, standing in self._standings.items():
            if (found := settled(standing, start, end)) is not None:
                self._settled[place] = found

    @property
    def rows_max(self) -> int:
        """So many rows at most."""
        return len(self._listed) + sum(CHARGES_MAX * len(each.parts) for each in self._settled.values())

    @property
    def largest(self) -> Decimal:
        """The largest figure of a row."""
        found = [abs(each.amount) for each in self._listed]
        for each in self._settled.values():
            found.append(Decimal(each.term.quantity))
            for parts in each.parts.values():
                found += [abs(parts.used), abs(parts.unused), abs(parts.fee), abs(parts.covered)]
        return max(found, default=ZERO)

    def takes(self, used: CellUsage, series_id: bytes) -> bool:
        """Whether the cell is what the list says of its day: then rows of that go out."""
        place = used.day, series_id, used.pricing.price.currency
        if used.pricing.price.unit or used.events or place not in self._sums:
            return False
        amounts = [Decimal(cost) for cost in used.costs[:3]]
        if amounts != [ZERO, ZERO, self._sums[place]]:
            return False
        self._taken.add(place)
        return True

    def rows(self, layout: Layout, account: BillingAccount) -> list[FocusRow]:
        """Once every cell was asked about."""
        left = {(each.term, each.period_start) for each in self._listed if each.place not in self._taken}
        said = {place: each for place, each in self._settled.items() if place not in left}
        rows = [row for each in said.values() for row in commitment_rows(layout, account, each)]
        usage = UsageRows(layout, account)
        others = [each for each in self._listed if each.amount and (each.term, each.period_start) not in said]
        return rows + [self._row(layout, usage, each) for each in others if each.place in self._taken]

    def _row(self, layout: Layout, usage: UsageRows, each: ListedTrueUp) -> FocusRow:
        standing = self._standings.get((each.term, each.period_start))
        reason = standing_words(standing) if standing else ""
        price = MeterPrice(
            "standard", "", False, each.currency, UNIT, "priced", each.term, "", "", reason, each.currency,
            each.currency,
        )  # fmt: skip
        amount, month = plain(each.amount), each.day.replace(day=1)
        is_carried = each.accounting_period not in (None, month)
        used = CellUsage(
            day=each.day,
            cell_id=f"{each.term}/{each.period_start}",
            events=0,
            quantity="0",
            costs=Costs("0", "0", amount, "0", "0", amount),
            pricing=CellPricing.of(price),
            correction="Correction" if is_carried else "",
            billed_in=each.accounting_period if is_carried else None,
        )
        said = {"cost_class": each.cost_class, "provider": each.provider, "sku": SKU}
        return usage.row(used, series_piece(layout, said))
