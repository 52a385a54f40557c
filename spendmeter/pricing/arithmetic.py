"""A line's amounts as arithmetic that a person can redo."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from spendmeter.contracts.catalog import CatalogRecord, FxRate, Price
from spendmeter.contracts.money import normal_quantity, plain
from spendmeter.contracts.rated import Line


def entries_of(line: Line) -> list[str]:
    """The ids of the entries that made the line, each once."""
    if not (line.multipliers or line.contracted_entry or line.fx or line.contracted_fx):  # nearly every line
        return [line.entry] if line.entry else []
    factors = [multiplier.entry for multiplier in line.multipliers]
    names = [line.entry, line.contracted_entry, *factors, line.fx, line.contracted_fx]
    return [name for name in dict.fromkeys(names) if name]


def arithmetic(
    line: Line, used: int | Decimal | None, currency: str, catalog: Mapping[str, CatalogRecord]
) -> Iterator[str]:
    """How the line's amounts come about. `used`: what the event states of the unit; `currency`: the book's;
    `catalog`: the entries of `entries_of(line)`, where they are known."""
    billed = used if line.quantity is None else line.quantity
    priced_in = line.currency or currency
    if line.amount is None or line.price is None or billed is None:
        reason = line.reason or ("none used" if line.amount == "0" else "no price is known")
        yield f"{line.unit}: {reason}, so {line.amount or 'no amount'} is booked"
        return
    if line.parent:
        yield f"{line.unit} has no price of its own: {line.parent}'s applies"
    if used is not None and billed != used:
        limit = "minimum" if billed > used else "maximum"
        yield f"{_digits(used)} {line.unit} used, and {_digits(billed)} billed: the price's {limit}"
    yield from _price("price", catalog.get(line.entry), line, line.price, ("list", "list_alone"))
    share = f" / {line.per}" if line.per != 1 else ""
    quantity = f"{_digits(billed)} {line.unit}"
    yield f"list: {quantity} x {line.price}{share} = {line.amount} {priced_in}"
    if line.fx:
        yield _converted(line.amount, priced_in, catalog.get(line.fx), line.book_list, currency)
    if line.contracted_price is not None:
        agreed_in = line.contracted_currency or priced_in
        entry = catalog.get(line.contracted_entry or line.entry)
        yield from _price("contracted price", entry, line, line.contracted_price, ("list", "contracted"))
        agreed = f"{line.contracted_amount} {agreed_in}"
        if line.contracted_quantity is not None:
            quantity = f"{_digits(line.contracted_quantity)} {line.unit}"
        yield f"contracted: {quantity} x {line.contracted_price}{share} = {agreed}"
        if line.book_contracted is not None:
            rate = catalog.get(line.contracted_fx or line.fx)
            yield _converted(line.contracted_amount, agreed_in, rate, line.book_contracted, currency)
    if line.effective_amount is not None:
        spread = "with what was paid in advance spread over its use"
        yield f"effective: {line.effective_amount} {priced_in}, {spread}"
        if line.book_effective is not None:
            rate = catalog.get(line.fx)
            yield _converted(line.effective_amount, priced_in, rate, line.book_effective, currency)


def _digits(quantity: object) -> str:
    return plain(Decimal(normal_quantity(quantity)))


def _price(
    name: str, entry: CatalogRecord | None, line: Line, price: str, kinds: tuple[str, ...]
) -> Iterator[str]:
    if isinstance(entry, Price) and line.status != "unpriced":
        factors = "".join(
            f" x {each.factor} ({each.name})" for each in line.multipliers if each.kind in kinds
        )
        each = f" for {line.per}" if line.per != 1 else " each"
        stated = f"{entry.price} {entry.currency} for {entry.per}"
        yield f"{name}: {stated}{factors} = {price} {entry.currency}{each}"


def _converted(
    amount: str | None, priced_in: str, rate: CatalogRecord | None, booked: str | None, currency: str
) -> str:
    factor = rate.rate if isinstance(rate, FxRate) else "the day's rate"
    return f"in {currency}, to 12 places: {amount} {priced_in} x {factor} = {booked} {currency}"
