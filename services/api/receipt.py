"""A receipt: what was received, how each line was priced, and where it was booked. Pure.

Lines are stored short; here everything left out is filled in again, with the arithmetic as a person would
write it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from spendmeter.contracts.catalog import CatalogRecord, FxRate, Price
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import normal_quantity, plain
from spendmeter.contracts.rated import Line, decode_lines
from spendmeter.contracts.series import DIMENSIONS

_decode_event = msgspec.json.Decoder(UsageEvent, float_hook=Decimal).decode
Catalog = Mapping[str, CatalogRecord]


def read_event(text: str) -> UsageEvent:
    """The event as booked, without fields that the contract does not have."""
    return _decode_event(text)


def catalog_ids(lines_of_entries: Sequence[str]) -> list[str]:
    """Every catalog entry that some line names."""
    ids: set[str] = set()
    for lines in lines_of_entries:
        for line in decode_lines(lines):
            ids |= {line.entry, line.fx, line.contracted_entry, line.contracted_fx}
            ids |= {multiplier.entry for multiplier in line.multipliers}
    return sorted(ids - {""})


def dimensions(series: Mapping[str, Any]) -> dict[str, str]:
    """The series' dimensions, those it has."""
    return {name: series[name] for name in DIMENSIONS if series[name]}


def expanded_lines(lines: str, event: UsageEvent, currency: str, catalog: Catalog) -> list[dict[str, Any]]:
    """An entry's lines in full: quantities from the event, contracted and effective from their defaults."""
    return [_expanded(line, event, currency, catalog) for line in decode_lines(lines)]


def sum_of(lines: Sequence[Mapping[str, Any]], effective: Decimal, currency: str) -> str:
    """The entry's amount as the sum of its lines, for people."""
    parts = [line["book_effective"] for line in lines if line["book_effective"] is not None]
    return f"{' + '.join(parts) or '0'} = {plain(effective)} {currency}"


def _expanded(line: Line, event: UsageEvent, currency: str, catalog: Catalog) -> dict[str, Any]:
    quantity = event.data.usage.get(line.unit) if line.quantity is None else line.quantity
    contracted_price = line.contracted_price if line.contracted_price is not None else line.price
    contracted = line.contracted_amount if line.contracted_amount is not None else line.amount
    priced_in = line.currency or currency
    return {
        "unit": line.unit,
        "quantity": None if quantity is None else _text(quantity),
        "status": line.status,
        "currency": priced_in,
        "per": line.per,
        "price": line.price,
        "amount": line.amount,
        "contracted_price": contracted_price,
        "contracted_amount": contracted,
        "contracted_currency": line.contracted_currency or priced_in,
        "effective_price": line.effective_price if line.effective_price is not None else contracted_price,
        "effective_amount": line.effective_amount if line.effective_amount is not None else contracted,
        "book_list": line.book_list if line.fx else line.amount,
        "book_contracted": _booked(line, line.book_contracted),
        "book_effective": _booked(line, line.book_effective),
        "multipliers": [msgspec.to_builtins(multiplier) for multiplier in line.multipliers],
        "entries": [
            name for name in (line.entry, line.contracted_entry, line.fx, line.contracted_fx) if name
        ],
        "parent": line.parent or None,
        "reason": line.reason or None,
        "arithmetic": list(_arithmetic(line, quantity, currency, catalog)),
    }


def _booked(line: Line, stated: str | None) -> str | None:
    """An amount in book currency: as stated, else the contracted one, else as list."""
    if stated is not None:
        return stated
    if line.book_contracted is not None:
        return line.book_contracted
    if line.contracted_amount is not None and not line.contracted_fx and not line.fx:
        return line.contracted_amount
    return line.book_list if line.fx else line.amount


def _arithmetic(line: Line, quantity: Any, currency: str, catalog: Catalog) -> Iterator[str]:
    priced_in = line.currency or currency
    if line.price is None or line.amount is None or quantity is None:
        yield f"{line.unit}: no price is known, so no amount is booked ({line.reason or 'unknown'})"
        return
    if line.parent:
        yield f"{line.unit} has no price of its own: {line.parent}'s applies"
    entry = catalog.get(line.entry)
    if isinstance(entry, Price) and line.status == "priced":
        factors = "".join(
            f" x {each.factor} ({each.name})" for each in line.multipliers if each.kind == "list"
        )
        each = f" for {line.per}" if line.per != 1 else " each"
        stated = f"{entry.price} {entry.currency} for {entry.per}"
        yield f"price: {stated}{factors} = {line.price} {priced_in}{each}"
    share = f" / {line.per}" if line.per != 1 else ""
    used = f"{_text(quantity)} {line.unit}"
    yield f"list: {used} x {line.price}{share} = {line.amount} {priced_in}"
    if line.fx:
        yield _converted(line.amount, priced_in, line.fx, line.book_list, currency, catalog)
    if line.contracted_price is not None:
        agreed_in = line.contracted_currency or priced_in
        factors = ", ".join(
            f"{each.name} x {each.factor}" for each in line.multipliers if each.kind != "list"
        )
        why = f" ({factors})" if factors else ""
        yield (
            f"contracted: {used} x {line.contracted_price}{share} = {line.contracted_amount} {agreed_in}{why}"
        )
        if line.book_contracted is not None:
            rate = line.contracted_fx or line.fx
            yield _converted(line.contracted_amount, agreed_in, rate, line.book_contracted, currency, catalog)
    if line.effective_price is not None:
        yield f"effective: {used} x {line.effective_price}{share} = {line.effective_amount} {priced_in}"


def _converted(
    amount: str | None, priced_in: str, rate_id: str, booked: str | None, currency: str, catalog: Catalog
) -> str:
    entry = catalog.get(rate_id)
    rate = entry.rate if isinstance(entry, FxRate) else f"rate {rate_id}"
    return (
        f"in {currency}: {amount} {priced_in} x {rate} = {booked} {currency}, rounded half-even to 12 places"
    )


def _text(quantity: Any) -> str:
    return plain(Decimal(normal_quantity(quantity)))
