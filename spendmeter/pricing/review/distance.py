"""Amounts far from all that the catalog knows of their kind: mostly the price of a million stated for one, or
that of one for a million. Pure.

An amount is compared with the prices of its unit: in the model's family, else in the whole catalog; where no
price is of that unit, with those of its parent, else of units of the same kind (hours, months, tokens). A
rate is compared with its neighbours in time.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from spendmeter.contracts.catalog import CatalogEntry, FxRate, PeriodTerm, Price, TenantTerms
from spendmeter.contracts.terms import FOR_EVER
from spendmeter.pricing.names import family
from spendmeter.pricing.price_book import PriceBook

FAR = 10
"""Times the dearest, or less than the cheapest: no new flagship was ever so dear."""
FAR_KIND = 1000
"""The same among units that only sound alike: an hour of a person costs more than one of a GPU."""
FAR_RATE = 3
_FACTORS = (1_000, 1_000_000)
_SECONDS_AN_HOUR = 3_600


class _StatedAmount(NamedTuple):
    """What an entry says `per` units cost, of what."""

    of: str
    name: str
    unit: str
    price: str
    per: int
    currency: str


class _Known(NamedTuple):
    """The cheapest and the dearest of some prices: of one unit, in the currency that they are compared in."""

    cheapest: tuple[Fraction, Price]
    dearest: tuple[Fraction, Price]


def far_off(book: PriceBook, new: Sequence[CatalogEntry]) -> Iterator[tuple[CatalogEntry, str]]:
    """The new entries that state an amount far from all others, and what to say of it."""
    amounts = {entry.id: _amounts(entry) for entry in new}
    peers = _Peers(book, amounts.keys(), {each.unit for stated in amounts.values() for each in stated})
    for entry in new:
        for amount in amounts[entry.id]:
            if far := peers.judge(amount):
                yield entry, far
        if isinstance(entry, FxRate) and (far := _judge_rate(book, entry)):
            yield entry, far


def _amounts(entry: CatalogEntry) -> Iterable[_StatedAmount]:
    """What the entry says units cost; free says nothing."""
    match entry:
        case Price():
            of = f"{entry.provider}/{entry.sku}"
            found = [_StatedAmount(of, entry.sku, entry.unit, entry.price, entry.per, entry.currency)]
        case PeriodTerm():
            of = f"a {entry.effect} term of {entry.provider}"
            steps = [step.price for step in entry.steps]
            found = [
                _StatedAmount(of, "", unit, price, entry.per, entry.currency)
                for unit in entry.units
                for price in steps
            ]
        case TenantTerms():
            of = f"what is unknown, for {entry.tenant},"
            found = [
                _StatedAmount(of, "", unit, price, 1, entry.currency)
                for unit, price in entry.fallback.items()
            ]
        case _:
            found = []
    return [amount for amount in found if Decimal(amount.price)]


class _Peers:
    """The cheapest and the dearest list prices of those that stood before: by unit and family, by unit, by
    kind of unit; and by currency, where no rate says what one is in US dollars."""

    def __init__(self, book: PriceBook, new: Collection[str], units: Collection[str]) -> None:
        """Of the kinds of unit that `units`, or their parents, are."""
        self._book = book
        self._known: dict[tuple[str, str, str], _Known] = {}
        self._dollars: dict[str, Fraction | None] = {"USD": Fraction(1)}
        line = {*units, *(parent for unit in units if (parent := book.parents.get(unit)))}
        kinds = {_kind(unit) for unit in line}
        for (_, sku), prices in book.prices.items():
            for price in prices:
                counts = _kind(price.unit) in kinds and price.kind == "list" and price.id not in new
                if counts and Decimal(price.price):
                    self._count(price, family(sku))

    def _count(self, price: Price, line: str) -> None:
        one, currency = self._common(price.per_unit, price.currency)
        for group in ((price.unit, line), (price.unit, ""), (_kind(price.unit), "*")):
            key, here = (*group, currency), (one, price)
            low, high = self._known.get(key, (here, here))
            self._known[key] = _Known(here if one < low[0] else low, here if one > high[0] else high)

    def _common(self, one: Fraction, currency: str) -> tuple[Fraction, str]:
        """In US dollars where a rate says how much that is, else as it is."""
        if currency not in self._dollars:
            self._dollars[currency] = _in_dollars(self._book, currency)
        dollars = self._dollars[currency]
        return (one, currency) if dollars is None else (one * dollars, "USD")

    def judge(self, amount: _StatedAmount) -> str | None:
        """What to say of an amount that is far from the nearest group that has any price; None = nothing."""
        one, currency = self._common(Fraction(amount.price) / amount.per, amount.currency)
        for unit, line, of, far in self._groups(amount):
            if known := self._known.get((unit, line, currency)):
                return _far_by(amount, one, known, of, far)
        return None

    def _groups(self, amount: _StatedAmount) -> Iterator[tuple[str, str, str, int]]:
        """Unit, family, what that is for people, and how far is far; the nearest first."""
        if line := family(amount.name):
            yield amount.unit, line, f"{amount.unit} of the family {line}", FAR
        for unit in self._book.lists.lineage(amount.unit):
            yield unit, "", f"price of {unit}", FAR
        yield _kind(amount.unit), "*", f"price of any {_kind(amount.unit)}", FAR_KIND


def _in_dollars(book: PriceBook, currency: str) -> Fraction | None:
    """What one is in US dollars by the last rate, whichever of the two it is stated of; None = by none."""
    if rate := book.fx(currency, "USD", FOR_EVER):
        return Fraction(rate.rate)
    rate = book.fx("USD", currency, FOR_EVER)  # what a book in that currency needs
    return 1 / Fraction(rate.rate) if rate and Decimal(rate.rate) else None


def _kind(unit: str) -> str:
    return unit.rpartition("_")[2]


def _far_by(amount: _StatedAmount, one: Fraction, known: _Known, of: str, far: int) -> str | None:
    (low, cheapest), (high, dearest) = known
    if one > far * high:
        how, peer = f"{round(one / high):,} times the dearest {of}", dearest
    elif one * far < low:
        how, peer = f"{round(low / one):,} times less than the cheapest {of}", cheapest
    else:
        return None
    stated = f"{amount.price} {amount.currency} per {amount.per:,} {amount.unit} of {amount.of}"
    other = f"{peer.price} {peer.currency} per {peer.per:,}, {peer.provider}/{peer.sku}"
    return f"{stated} is {how} ({other}){_suggest(amount, one, low, high)}"


def _suggest(amount: _StatedAmount, one: Fraction, low: Fraction, high: Fraction) -> str:
    """The number of units that would put the amount among the others."""
    factors = (*_FACTORS, _SECONDS_AN_HOUR) if amount.unit.endswith("_seconds") else _FACTORS
    for factor in factors:
        if low <= one / factor <= high:
            return f": did you mean per {amount.per * factor:,}?"
        if low <= one * factor <= high and amount.per % factor == 0:
            return f": did you mean per {amount.per // factor:,}?"
    return ""


def _judge_rate(book: PriceBook, entry: FxRate) -> str | None:
    """A rate far from the one before it, from the one after it where it is the first, from what the opposite
    rate makes where it is the only one."""
    others = [rate for rate in book.rates(entry.base, entry.quote) if rate.id != entry.id]
    before = [rate for rate in others if rate.effective_from < entry.effective_from]
    if not others:
        return _far_from_opposite(book, entry)
    other = before[-1] if before else others[0]
    if not (Decimal(entry.rate) and Decimal(other.rate)):
        return f"{entry.base} → {entry.quote} at {entry.rate}, beside {other.rate}"
    how = _times(Fraction(entry.rate) / Fraction(other.rate))
    return how and f"{_rate(entry)} is {how} the {other.rate} of {other.effective_from:%Y-%m-%d}"


def _far_from_opposite(book: PriceBook, entry: FxRate) -> str | None:
    opposite = book.fx(entry.quote, entry.base, FOR_EVER)
    if opposite is None or not (Decimal(entry.rate) and Decimal(opposite.rate)):
        return None
    how = _times(Fraction(entry.rate) * Fraction(opposite.rate))
    return how and f"{_rate(entry)} is {how} what {_rate(opposite)} makes: is it the other way round?"


def _rate(entry: FxRate) -> str:
    return f"{entry.base} → {entry.quote} at {entry.rate}"


def _times(ratio: Fraction) -> str | None:
    """How far that is, where it is far."""
    return None if Fraction(1, FAR_RATE) <= ratio <= FAR_RATE else f"{float(ratio):.4g} times"
