"""The figures of a row: quantities, costs, and the unit prices that make the one of the other. Pure.

Figures are plain decimal texts, as Postgres writes them: what nobody has to reckon with stays as it came.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple, Self

from spendmeter.contracts.money import plain

PRICE_PLACES = 18
"""Of a unit price, as Parquet holds them: times the quantity it is the cost to within half a last place for
each unit, which is far beyond the 9 digits that the validators ask of a cost that is worth an invoice."""
_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)
_PLACES = Decimal(1).scaleb(-PRICE_PLACES)


class Costs(NamedTuple):
    """In the book's currency, and as priced: list, contracted, effective."""

    list: str
    contracted: str
    effective: str
    list_priced: str
    contracted_priced: str
    effective_priced: str

    @classmethod
    def alike(cls, cost: str) -> Self:
        """All of them are this one."""
        return cls(cost, cost, cost, cost, cost, cost)


class UnitPrice(NamedTuple):
    """As a number, and as it is written."""

    amount: Decimal
    text: str


class RowPrices(NamedTuple):
    """For how many a price is, and the prices of one; '' = none. `whole`: no quantity makes these costs,
    so the price is that of the charge itself."""

    whole: bool
    quantity: str
    list: str
    contracted: str
    list_priced: str
    contracted_priced: str


def priced(quantity: str, per: int, costs: Costs, last: UnitPrice | None = None) -> RowPrices:
    """Costs divided by the quantity. A unit price is never negative: where signs differ, or nothing was used,
    what is priced is the charge itself, once. `last`: the price of a row before, which is this one's as well
    where it makes the cost: a product is had for a fifth of a quotient."""
    count = Decimal(quantity)
    if per != 1:
        count = _WIDE.divide(count, Decimal(per))  # a power of ten: exact
    texts = (costs.list, costs.contracted, costs.list_priced, costs.contracted_priced)
    if len(set(texts)) == 1:  # nearly every row: one price
        cost = Decimal(texts[0])
        if last and count and _WIDE.multiply(last.amount, count) == cost:
            return RowPrices(False, plain(count), last.text, last.text, last.text, last.text)
        whole = not count or ((cost < 0) != (count < 0) and bool(cost))
        if whole:
            count = _ONE if cost >= 0 else -_ONE
        price = _price(cost, count)
        return RowPrices(whole, plain(count), price, price, price, price)
    sums = tuple(map(Decimal, texts))
    whole = not count or any(cost and (cost < 0) != (count < 0) for cost in sums)
    if whole:
        count = -_ONE if min(sums) < 0 and max(sums) <= 0 else _ONE
    return RowPrices(whole, plain(count), *(_price(cost, count) for cost in sums))


def negated(figure: str) -> str:
    """The figure with the other sign."""
    return plain(-Decimal(figure)) if figure else figure


def _price(cost: Decimal, count: Decimal) -> str:
    price = _WIDE.divide(cost, count)
    return "" if price < 0 else plain(price.quantize(_PLACES, context=_WIDE))
