"""A receipt: what was received, how each line was priced, and where it was booked. Pure.

Lines are stored short; here everything left out is filled in again, with the arithmetic as a person would
write it down.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from services.api.events.models import ReceiptLine
from spendmeter.contracts.catalog import (
    CatalogEntry,
    CatalogRecord,
    NameRule,
    Provider,
)
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import plain
from spendmeter.contracts.rated import Line, decode_lines
from spendmeter.pricing.arithmetic import arithmetic, entries_of
from spendmeter.pricing.explain import contests
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.remarks import remarks_in_words
from spendmeter.pricing.reported import reported_in_words

CatalogRecords = Mapping[str, CatalogRecord]
"""By id."""


class InTheBook(NamedTuple):
    """An event as booked first, and what has become of it."""

    recorded_at: datetime
    was: str
    """What the first entry comes to, and below all of them together."""
    now: str
    entries: int
    status: str
    """Of the last entry."""

    @property
    def says(self) -> str:
        """The same in words."""
        if self.entries == 1:
            return f"booked: {self.now}, {self.status}"
        if self.entries % 2:
            return f"corrected: now {self.now}, {self.status} (was {self.was})"
        return f"retracted: now {self.now} (was {self.was})"


def summarize(booked: InTheBook | None, copies: Sequence[tuple[str, str, datetime]]) -> str:
    """What became of the event, in one line; a conflict before all else, for its sender was told 204.

    `booked`: None = nothing was. `copies`: the other submissions' outcome, reason and time, newest first."""
    if booked is None:
        outcome, reason, at = copies[0]
        return f"{outcome}: {reason} ({_second(at)})"
    conflicts = [at for outcome, _, at in copies if outcome == "conflict"]
    if conflicts:
        before = {1: "", 2: ", nor was the one before it"}
        more = before.get(len(conflicts), f", nor were the {len(conflicts) - 1} before it")
        first, yours = _second(booked.recorded_at), _second(conflicts[0])
        said = f"conflict: another event with this id was booked first, at {first}"
        return f"{said}; yours of {yours} was not{more}"
    again = sum(1 for outcome, *_ in copies if outcome == "duplicate")
    return booked.says + (f"; sent {again + 1} times, booked once" if again else "")


def _second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def catalog_ids(lines_of_entries: Sequence[str]) -> list[str]:
    """Every catalog entry that some line names."""
    return sorted(
        {name for lines in lines_of_entries for line in decode_lines(lines) for name in entries_of(line)}
    )


def possible_sellers(event: UsageEvent, general: Iterable[CatalogEntry]) -> tuple[str, ...]:
    """Whose prices the event may be charged at; `general`: the entries that are about no one sku."""
    book = PriceBook(each for each in general if isinstance(each, Provider | NameRule))
    provider = book.plan(event.tenant, event.data).provider
    return book.sellers(provider) or (event.data.provider.lower(),)


def possible_skus(event: UsageEvent, book: PriceBook) -> set[str]:
    """The skus that the event's name may mean; `book`: of all that names models and providers."""
    time = None if event.time is UNSET else event.time
    found = book.meaning(event.tenant, event.data.provider, event.data.sku, time)
    named = (found.model.owner if found.model else "", found.sold_as)
    return {event.data.sku.lower(), *filter(None, named)}


def expanded_lines(
    lines: str, event: UsageEvent, currency: str, catalog: CatalogRecords, book: PriceBook | None = None
) -> list[ReceiptLine]:
    """An entry's lines in full: quantities from the event, contracted and effective from their defaults;
    with the book, by what the other candidates lost."""
    return [_expanded(line, event, currency, catalog, book) for line in decode_lines(lines)]


def describe_differences(lines: Sequence[ReceiptLine]) -> str:
    """Where the book as it is read now does not decide as was booked; '' = nowhere."""
    odd = [
        f"{line.unit}: {contest.of} by {contest.entry or 'no entry'}"
        for line in lines
        for contest in line.contests
        if line.status in {"priced", "free"} and contest.entry and contest.entry not in line.entries
    ]
    return f"this release would have decided otherwise: {'; '.join(odd)}" if odd else ""


def sum_of(lines: Sequence[ReceiptLine], effective: Decimal, currency: str) -> str:
    """The entry's amount as the sum of its lines, for people."""
    parts = [plain(line.book_effective) for line in lines if line.book_effective is not None]
    return f"{' + '.join(parts) or '0'} = {plain(effective)} {currency}"


def _expanded(
    line: Line, event: UsageEvent, currency: str, catalog: CatalogRecords, book: PriceBook | None
) -> ReceiptLine:
    used = event.data.usage.get(line.unit)
    quantity = used if line.quantity is None else line.quantity
    priced_in = line.currency or currency
    agreed_in = line.contracted_currency or priced_in
    book_list = line.amount if priced_in == currency else line.book_list
    book_contracted = line.contracted_amount if agreed_in == currency else line.book_contracted
    if line.contracted_amount is None:
        book_contracted = book_list
    price = line.contracted_price or line.price
    amount = line.contracted_amount or line.amount
    effective = amount if line.effective_amount is None else line.effective_amount
    book_effective = line.effective_amount if priced_in == currency else line.book_effective
    if line.effective_amount is None:
        book_effective = book_contracted
    little: list[str] = []
    if book and line.unit == "reported_cost" and book_contracted is not None:
        little = reported_in_words(event, Decimal(book_contracted), currency, book)
    full = msgspec.structs.asdict(line) | {
        "quantity": quantity,
        "currency": priced_in,
        "contracted_price": price,
        "contracted_amount": amount,
        "contracted_currency": agreed_in,
        "book_list": book_list,
        "book_contracted": book_contracted,
        # As contracted: what a whole period changes is an entry of its own. But a bill says so itself.
        "effective_price": price if line.effective_amount is None else line.effective_amount,
        "effective_amount": effective,
        "book_effective": book_effective,
        "multipliers": [msgspec.to_builtins(multiplier) for multiplier in line.multipliers],
        "remarks": [*remarks_in_words(line, event.data.context), *little],
        "entries": entries_of(line),
        "arithmetic": list(arithmetic(line, used, currency, catalog)),
        "contests": contests(event, book, line.unit) if book else (),
    }
    return ReceiptLine.model_validate(full)
