"""Lines of a bill that are alike but for whose project, key or person they are of, as one; and how far what
they come to may be off, by the digits that the bill is written in. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from msgspec import structs

from services.api.invoices.billed import BillError, InvoiceLine
from spendmeter.contracts.money import EXACT, quantised, total

LINES_MAX = 50_000
"""Of a file, once those that are alike are one: a month of 50 models in 6 units at 5 tiers has as many."""
CENT_PLACES = 2
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_DEVIATIONS_SQUARED = _WIDE.divide(Decimal(16), Decimal(3))
"""A rounding is anything up to half a place, either way: its deviation is that half by the root of three."""


@dataclass
class _Sum:
    quantity: Decimal | None
    amount: Decimal | None
    listed: Decimal | None
    count: int = 1


class AddedLines:
    """`add` each, then `lines`."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Any, ...], _Sum] = {}
        self._places = CENT_PLACES

    def add(self, line: InvoiceLine, rows: int = 1) -> None:
        """What so many rows come to. Raises BillError where too many are unlike."""
        key = (
            line.day, line.kind, line.model, line.unit, line.tier, line.context, line.region, line.currency,
            line.quantity is None, line.listed is None,
        )  # fmt: skip
        if line.amount is not None:
            exponent = line.amount.as_tuple().exponent
            self._places = max(self._places, -exponent if isinstance(exponent, int) else 0)
        if (found := self._sums.get(key)) is None:
            if len(self._sums) >= LINES_MAX:
                raise BillError(
                    f"has more than {LINES_MAX:,} lines that are unlike: import it in parts, day by day"
                )
            self._sums[key] = _Sum(line.quantity, line.amount, line.listed, rows)
            return
        found.count += rows
        for name in ("quantity", "amount", "listed"):
            if (more := getattr(line, name)) is not None:
                setattr(found, name, EXACT.add(getattr(found, name), more))

    def lines(self) -> tuple[InvoiceLine, ...]:
        """Of a vendor who writes one amount to ten places none is rounded to cents: how far each is off is
        half of the last place that any of them has."""
        half = Decimal(5).scaleb(-self._places - 1)
        return tuple(
            line if line.amount is None else structs.replace(line, tolerance=_off(half, rows))
            for line, rows in self.counted()
        )

    def counted(self) -> Iterator[tuple[InvoiceLine, int]]:
        """Each with how many rows it is of, to be added to others."""
        for key, each in self._sums.items():
            yield (
                InvoiceLine(
                    day=key[0], kind=key[1], model=key[2], unit=key[3], tier=key[4], context=key[5],
                    region=key[6], currency=key[7], quantity=each.quantity, amount=each.amount,
                    listed=each.listed,
                ),
                each.count,
            )  # fmt: skip


def off_together(offs: Iterable[Decimal]) -> Decimal:
    """How far a sum is off whose amounts are each off by so much at most. All of it where they are few; of
    many not all go one way: four deviations at most, so that a thousand amounts in cents hide 37 cents, and
    not five dollars."""
    each = list(offs)
    return _least(total(each), total(EXACT.multiply(off, off) for off in each))


def _off(half: Decimal, count: int) -> Decimal:
    """The same of so many that are alike."""
    return _least(half * count, half * half * count)


def _least(whole: Decimal, squares: Decimal) -> Decimal:
    return min(whole, quantised(_WIDE.sqrt(_WIDE.multiply(squares, _DEVIATIONS_SQUARED))))
