"""The second pricer's arithmetic: what the lines of an entry come to, in every currency that they name. Pure.

A line is priced in its own `currency` ('' = the book's). In the book it counts what its exchange rate makes
of that; without a rate it is unpriced and counts nothing, whatever it costs in its own currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from spendmeter.verify.usage import UsageQuantity, decode

STATUSES = ("priced", "free", "reported", "provisional", "unpriced")
"""Worse from left to right: an entry's status is its worst line's."""
_SEVERITY = {status: severity for severity, status in enumerate(STATUSES)}
_WHOLE_EVENT = {"reported_cost", "events"}
"""What a line is about that stands for units which have no line of their own."""
CHARGE_LINE = "charge"
"""What the one line of a bill's row is about."""
_BARE = 4
"""Fields of a line that says unit, entry, price and amount alone."""
_WIDE = Context(prec=120, rounding=ROUND_HALF_EVEN)
_PLACES_12 = Decimal("1E-12")
_ZERO = Decimal(0)


class ExchangeRate(NamedTuple):
    """One `base` was worth `rate` `quote` from an instant on, as the catalog states it."""

    base: str
    quote: str
    rate: Decimal
    effective_from: datetime


class Bill(NamedTuple):
    """What lines come to: the three sums in book currency, and list amounts by the currency they are in."""

    list: Decimal
    contracted: Decimal
    effective: Decimal
    status: str
    priced: dict[str, Decimal]
    faults: Sequence[str]
    """What a line says that does not follow from its own figures."""


def read_rate(body: str) -> ExchangeRate:
    """The rate in a catalog entry, as JSON."""
    entry = decode(body)
    return ExchangeRate(
        base=entry["base"],
        quote=entry["quote"],
        rate=Decimal(entry["rate"]),
        effective_from=datetime.fromisoformat(entry["effective_from"]),
    )


def charge_faults(charge: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], currency: str) -> list[str]:
    """In what the lines of a bill's row, in a book in `currency`, do not say what it says."""
    if len(lines) != 1 or lines[0]["unit"] != CHARGE_LINE:
        return ["a charge has one line, of its own"]
    line = lines[0]
    listed = line.get("amount")
    agreed = line.get("contracted_amount", listed)
    stated = {
        "list": listed,
        "contracted": agreed,
        "effective": line.get("effective_amount", agreed),
    }
    faults = [
        f"its line says {name} {amount}, and its bill {charge[name]}"
        for name, amount in stated.items()
        if amount is None or Decimal(amount) != Decimal(charge[name])
    ]
    if (line.get("currency") or currency) != charge["currency"]:
        faults.append(f"its line is not in {charge['currency']}, as its bill is")
    return faults


def add_up(
    lines: Iterable[dict[str, Any]],
    usage: Mapping[str, UsageQuantity],
    *,
    currency: str,
    time: datetime,
    rates: Mapping[str, ExchangeRate],
) -> Bill:
    """The bill of an event of `time` in a book in `currency`; `rates` by id of their catalog entry.

    Raises KeyError, TypeError, ValueError or ArithmeticError for what is no line at all.
    """
    bill = _Adding(usage, currency, time, rates)
    for line in lines:
        bill.add(line)
    return bill.result()


@dataclass(slots=True)
class _Adding:
    usage: Mapping[str, UsageQuantity]
    currency: str
    time: datetime
    rates: Mapping[str, ExchangeRate]
    listed: Decimal = _ZERO
    contracted: Decimal = _ZERO
    spread: Decimal = _ZERO
    """How much more, or less, is effective than contracted: a bill says so, and no price does."""
    bare: Decimal = _ZERO
    """Of lines in book currency that say no more: one amount for all three."""
    worst: int = 0
    priced: dict[str, Decimal] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        """Put a line on the bill."""
        unit = line["unit"]
        self.units.add(unit)
        if len(line) == _BARE and "entry" in line and "price" in line and "amount" in line:
            # Nearly every line of nearly every event: no more than a price and an amount in book currency.
            quantity = self.usage.get(unit)
            price, amount = line["price"], line["amount"]
            if quantity is not None and price is not None and amount is not None:
                listed = Decimal(amount)
                if quantity * Decimal(price) != listed:
                    self._misstated(unit, quantity, price, 1, quantity * Decimal(price), listed)
                self.bare += listed
                return
        self.add_any(line, unit)

    def add_any(self, line: dict[str, Any], unit: str) -> None:
        """A line that may say anything."""
        get = line.get
        severity = _SEVERITY[get("status", "priced")]
        if severity > self.worst:
            self.worst = severity
        unpriced = severity == _SEVERITY["unpriced"]
        stated = get("quantity")
        quantity = self.usage.get(unit) if stated is None else Decimal(stated)
        if quantity is None:
            self.faults.append(f"{unit} has a line, and the event does not name it")
            return
        own = get("currency") or self.currency
        amount = self._amount(line, "", quantity)
        if amount is None:
            if not unpriced:
                self.faults.append(f"{unit} has no amount, and is not unpriced")
            return
        self.priced[own] = self.priced.get(own, _ZERO) + amount
        fx = get("fx", "")
        listed = contracted = self._booked(unit, amount, own, fx, get("book_list"), unpriced)
        if "contracted_amount" in line:
            other = get("contracted_quantity")
            agreed = self._amount(line, "contracted_", quantity if other is None else Decimal(other))
            own, fx = get("contracted_currency") or own, get("contracted_fx") or fx
            if agreed is not None:
                contracted = self._booked(unit, agreed, own, fx, get("book_contracted"), unpriced)
        effective = contracted
        if "effective_amount" in line:
            spread = Decimal(line["effective_amount"])
            own, fx = get("currency") or self.currency, get("fx", "")
            effective = self._booked(unit, spread, own, fx, get("book_effective"), unpriced)
        self.listed += listed
        self.contracted += contracted
        self.spread += effective - contracted

    def _amount(self, line: dict[str, Any], kind: str, quantity: UsageQuantity) -> Decimal | None:
        """The amount as priced, held against quantity x price / per."""
        stated, price = line.get(f"{kind}amount"), line.get(f"{kind}price")
        if stated is None:
            return None
        amount = Decimal(stated)
        if price is None:
            if amount and not kind:
                self.faults.append(f"{line['unit']} costs {amount}, and has no price")
            return amount
        worth, per = quantity * Decimal(price), line.get("per", 1)
        if per != 1:
            worth = _WIDE.divide(worth, Decimal(per)).quantize(_PLACES_12, context=_WIDE)
        if worth != amount:
            self._misstated(line["unit"], quantity, price, per, worth, amount)
        return amount

    def _misstated(
        self, unit: str, quantity: UsageQuantity, price: str, per: int, worth: Decimal, amount: Decimal
    ) -> None:
        divided = f" / {per}" if per != 1 else ""
        self.faults.append(f"{unit}: {quantity} x {price}{divided} is {worth}, not {amount}")

    def _booked(
        self, unit: str, amount: Decimal, own: str, fx: str, stated: str | None, unpriced: bool
    ) -> Decimal:
        """What an amount in its own currency counts in the book."""
        if own == self.currency:
            return amount
        if stated is None:
            if amount and not unpriced:
                self.faults.append(f"{unit}: {amount} {own} is not in {self.currency}, and not unpriced")
            return _ZERO
        booked, rate = Decimal(stated), self.rates.get(fx)
        if rate is None:
            self.faults.append(f"{unit}: the catalog has no exchange rate {fx or 'for it'}")
        elif (rate.base, rate.quote) != (own, self.currency):
            self.faults.append(
                f"{unit}: rate {fx} is {rate.base} to {rate.quote}, not {own} to {self.currency}"
            )
        elif rate.effective_from > self.time:
            self.faults.append(f"{unit}: rate {fx} begins {rate.effective_from.isoformat()}, after the event")
        elif (worth := (amount * rate.rate).quantize(_PLACES_12, context=_WIDE)) != booked:
            self.faults.append(
                f"{unit}: {amount} {own} x {rate.rate} is {worth} {self.currency}, not {booked}"
            )
        return booked

    def result(self) -> Bill:
        if len(self.units) < len(self.usage) and not self.units & _WHOLE_EVENT:
            silent = ", ".join(unit for unit in self.usage if unit not in self.units)
            self.faults.append(f"there is no line for {silent}")
        bare, priced = self.bare, self.priced
        if bare:
            priced[self.currency] = priced.get(self.currency, _ZERO) + bare
        contracted = self.contracted + bare
        effective = contracted + self.spread
        return Bill(self.listed + bare, contracted, effective, STATUSES[self.worst], priced, self.faults)
