"""A receipt: what was received, how each line was priced, and where it was booked. Pure.

Lines are stored short; here everything left out is filled in again, with the arithmetic as a person would
write it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from pydantic import BaseModel

from services.api.answers import Money
from spendmeter.contracts.catalog import CatalogRecord, FxRate, Price
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import normal_quantity, plain
from spendmeter.contracts.rated import Line, decode_lines
from spendmeter.contracts.series import DIMENSIONS

Catalog = Mapping[str, CatalogRecord]

_decode_event = msgspec.json.Decoder(UsageEvent, float_hook=Decimal).decode


class ReceiptLine(BaseModel):
    """One unit's price and amounts, as priced and in book currency; null = unknown, never zero.

    `arithmetic` can be redone by hand; `entries` are the keys in `catalog` of what decided it.
    """

    unit: str
    quantity: Money | None
    status: str
    currency: str
    per: int
    price: Money | None
    amount: Money | None
    contracted_price: Money | None
    contracted_amount: Money | None
    contracted_currency: str
    effective_price: Money | None
    effective_amount: Money | None
    book_list: Money | None
    book_contracted: Money | None
    book_effective: Money | None
    multipliers: list[dict[str, Any]]
    entries: list[str]
    parent: str
    reason: str
    arithmetic: list[str]


def read_event(text: str) -> UsageEvent:
    """The event as booked, without fields that the contract does not have."""
    return _decode_event(text)


def catalog_ids(lines_of_entries: Sequence[str]) -> list[str]:
    """Every catalog entry that some line names."""
    return sorted(
        {name for lines in lines_of_entries for line in decode_lines(lines) for name in _named(line)}
    )


def _named(line: Line) -> list[str]:
    factors = [multiplier.entry for multiplier in line.multipliers]
    names = [line.entry, line.contracted_entry, *factors, line.fx, line.contracted_fx]
    return [name for name in dict.fromkeys(names) if name]


def dimensions(series: Mapping[str, Any]) -> dict[str, str]:
    """The series' dimensions, those it has."""
    return {name: series[name] for name in DIMENSIONS if series.get(name)}


def expanded_lines(lines: str, event: UsageEvent, currency: str, catalog: Catalog) -> list[ReceiptLine]:
    """An entry's lines in full: quantities from the event, contracted and effective from their defaults."""
    return [_expanded(line, event, currency, catalog) for line in decode_lines(lines)]


def sum_of(lines: Sequence[ReceiptLine], effective: Decimal, currency: str) -> str:
    """The entry's amount as the sum of its lines, for people."""
    parts = [plain(line.book_effective) for line in lines if line.book_effective is not None]
    return f"{' + '.join(parts) or '0'} = {plain(effective)} {currency}"


def _expanded(line: Line, event: UsageEvent, currency: str, catalog: Catalog) -> ReceiptLine:
    quantity = event.data.usage.get(line.unit) if line.quantity is None else line.quantity
    priced_in = line.currency or currency
    agreed_in = line.contracted_currency or priced_in
    book_list = line.amount if priced_in == currency else line.book_list
    book_contracted = line.contracted_amount if agreed_in == currency else line.book_contracted
    if line.contracted_amount is None:
        book_contracted = book_list
    stated = msgspec.structs.asdict(line) | {
        "quantity": quantity,
        "currency": priced_in,
        "contracted_price": _or(line.contracted_price, line.price),
        "contracted_amount": _or(line.contracted_amount, line.amount),
        "contracted_currency": agreed_in,
        "book_list": book_list,
        "book_contracted": book_contracted,
        "book_effective": _or(line.book_effective, book_contracted),
        "multipliers": [msgspec.to_builtins(multiplier) for multiplier in line.multipliers],
        "entries": _named(line),
        "arithmetic": list(_arithmetic(line, quantity, currency, catalog)),
    }
    stated["effective_price"] = _or(line.effective_price, stated["contracted_price"])
    stated["effective_amount"] = _or(line.effective_amount, stated["contracted_amount"])
    return ReceiptLine.model_validate(stated)


def _or(stated: str | None, default: str | None) -> str | None:
    return default if stated is None else stated


def _arithmetic(line: Line, quantity: Any, currency: str, catalog: Catalog) -> Iterator[str]:
    priced_in = line.currency or currency
    if line.amount is None or line.price is None or quantity is None:
        reason = line.reason or ("none used" if line.amount == "0" else "no price is known")
        yield f"{line.unit}: {reason}, so {line.amount or 'no amount'} is booked"
        return
    if line.parent:
        yield f"{line.unit} has no price of its own: {line.parent}'s applies"
    yield from _price("price", catalog.get(line.entry), line, line.price, ("list",))
    share = f" / {line.per}" if line.per != 1 else ""
    used = f"{plain(Decimal(normal_quantity(quantity)))} {line.unit}"
    yield f"list: {used} x {line.price}{share} = {line.amount} {priced_in}"
    if line.fx:
        yield _converted(line.amount, priced_in, catalog.get(line.fx), line.book_list, currency)
    if line.contracted_price is not None:
        agreed_in = line.contracted_currency or priced_in
        entry = catalog.get(line.contracted_entry or line.entry)
        yield from _price("contracted price", entry, line, line.contracted_price, ("list", "contracted"))
        yield f"contracted: {used} x {line.contracted_price}{share} = {line.contracted_amount} {agreed_in}"
        if line.book_contracted is not None:
            rate = catalog.get(line.contracted_fx or line.fx)
            yield _converted(line.contracted_amount, agreed_in, rate, line.book_contracted, currency)
    if line.effective_price is not None:
        yield f"effective: {used} x {line.effective_price}{share} = {line.effective_amount} {priced_in}"


def _price(
    name: str, entry: CatalogRecord | None, line: Line, price: str, kinds: tuple[str, ...]
) -> Iterator[str]:
    if isinstance(entry, Price) and line.status == "priced":
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
