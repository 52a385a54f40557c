"""What bills in force say, and what the book has of the same provider and days: where both are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.api.database.transactions import TenantConnection
from services.api.imports.focus import alike
from services.api.invoices.billed import InvoiceKind, InvoiceLine
from services.api.invoices.coverage import SpokenOf, shortfalls
from services.api.invoices.focus_rows import RULE_OF
from services.api.invoices.held_against import NameOf
from services.api.invoices.pages import PROVIDERS
from services.api.invoices.sides import BookedUse, RateOf
from services.api.invoices.vendor_words import (
    ANYWHERE,
    BATCH,
    FEE_UNITS,
    LEFT_OUT,
    LONG,
    SHORT,
    STANDARD,
    counted_as,
    region_of,
    tier_of,
)
from spendmeter.contracts.catalog import Price
from spendmeter.contracts.money import divided
from spendmeter.platform.service_keys import ACCRUALS, key_id
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.charged import CHARGE_UNIT
from spendmeter.pricing.period_terms import noon
from spendmeter.pricing.price_book import PriceBook

ROWS_MAX = 200_000
NOTES_MAX = 20
SQL = load_sql(
    Path(__file__).with_name("invoices.sql"),
    {"rows_max": str(ROWS_MAX), "notes_max": str(NOTES_MAX), "charge": CHARGE_UNIT},
)
DAY = timedelta(days=1)
_REPORTED_UNIT = "reported_cost"


@dataclass(frozen=True, kw_only=True)
class ReadInvoice:
    """Of the days asked for and one on either side, whose edges are theirs too."""

    days: Mapping[date, set[InvoiceKind]]
    billed: list[InvoiceLine]
    booked: list[Any]
    """Rows of `booked`; empty without a bill."""
    is_cut: bool
    """Whether the book or the bills have more rows than are read."""
    notes: list[str]
    """Of bills of the days asked for: what they lack, and what was said when they came in."""


async def read_bill_and_book(
    connection: TenantConnection,
    book: PriceBook,
    tenant: str,
    *,
    provider: str,
    account: str | None,
    days: tuple[date, date],
) -> ReadInvoice:
    """Both sides, in one transaction."""
    span = days[0] - DAY, days[1] + DAY
    spoken = [SpokenOf(**row) for row in await connection.fetch(SQL["days"], provider, *span, account)]
    kinds: dict[date, set[InvoiceKind]] = defaultdict(set)
    for each in spoken:
        kinds[each.day].add(each.kind)
    said = await connection.fetch(SQL["notes"], provider, *days, account)
    notes = shortfalls(spoken, days) + [row["note"] for row in said]
    billed = [InvoiceLine(**row) for row in await connection.fetch(SQL["billed"], provider, *span, account)]
    booked: list[Any] = []
    if spoken:
        sellers = [row["provider"] for row in await connection.fetch(SQL["sellers"])]
        its = [name for name in sellers if _is_of(book, tenant, provider, name)]
        booked = await connection.fetch(SQL["booked"], *span, its, key_id(ACCRUALS))
    is_cut = max(len(booked), len(billed)) >= ROWS_MAX
    return ReadInvoice(days=kinds, billed=billed, booked=booked, is_cut=is_cut, notes=notes)


def _is_of(book: PriceBook, tenant: str, asked: str, provider: str) -> bool:
    """Whether what an event called its provider is the one that sends the bill."""
    claim = book.meaning(tenant, provider, "").provider
    names = {alike(name) for name in RULE_OF[asked].metered_as}
    return bool(names & {alike(provider), alike(claim.owner) if claim else ""})


def names_of(book: PriceBook, tenant: str, provider: str) -> NameOf:
    """A model's name as the catalog has it, the same of a bill's and of an event's; in small letters where it
    knows none."""

    by = RULE_OF[provider].metered_as[0]
    return lambda written: _named(book, tenant, by, written)


def _named(book: PriceBook, tenant: str, provider: str, written: str) -> str:
    found = book.meaning(tenant, provider, written).model
    return found.owner if found else written.strip().lower()


def rates_of(book: PriceBook, currency: str) -> RateOf:
    """The catalog's rates of exchange into the bill's currency, of a day's noon."""

    def rate_of(base: str, day: date) -> Decimal | None:
        at = noon(day)
        if (rate := book.fx(base, currency, at)) is not None:
            return Decimal(rate.rate)
        back = book.fx(currency, base, at)
        return None if back is None else divided(Decimal(1), Decimal(back.rate))

    return rate_of


def booked_uses(rows: Iterable[Any], book: PriceBook, tenant: str, provider: str) -> list[BookedUse]:
    """Rows of `booked` by what a bill tells apart."""
    rows = list(rows)
    models = {(row["provider"], row["sku"]) for row in rows}
    names = {model: _named(book, tenant, *model) for model in models}
    prices = book.entries({row["entry"] for row in rows if row["entry"]})
    left_out, anywhere = LEFT_OUT.get(provider, []), ANYWHERE if provider in PROVIDERS else ""
    return [_use(row, names[row["provider"], row["sku"]], prices, left_out, anywhere) for row in rows]


def _use(row: Any, name: str, prices: Mapping[str, Any], left_out: list[str], anywhere: str) -> BookedUse:
    """`anywhere`: the region of an event that names none; '' = one that nobody knows, as a cloud's."""
    entry = prices.get(row["entry"])
    is_long = isinstance(entry, Price) and entry.when.context_min is not None
    unit = "" if row["unit"] == _REPORTED_UNIT else counted_as(row["unit"])
    tier = tier_of(row["tier"], row["batch"]) or STANDARD
    same = row["priced_in"] == row["contracted_in"]
    return BookedUse(
        day=row["day"],
        model=unit if unit in FEE_UNITS else name,
        unit=unit,
        tier=tier,
        context=LONG if is_long else SHORT,
        region=region_of(row["region"] or None) or anywhere,
        status=row["status"],
        currency=row["contracted_in"],
        quantity=row["quantity"],
        contracted=row["contracted"],
        listed=row["listed"] if same else row["contracted"],
        is_left_out=tier in left_out and tier != BATCH,
    )
