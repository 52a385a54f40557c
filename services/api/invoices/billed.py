"""What a provider says that it charged for or that was used, in our words. Pure."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from spendmeter.contracts.money import ZERO
from spendmeter.contracts.visible import visible

InvoiceKind = Literal["cost", "total", "usage"]
"""cost: amounts by model or line; total: the amount of the day alone; usage: quantities without amounts."""
UNKNOWN = "unknown"
"""The unit of what the bill names in words that nobody here knows: what it costs is unexplained, and no usage
that nobody saw."""
DIGITS_MAX, PLACES_MAX = 18, 30
TEXT_CHARACTERS_MAX = 256
_TEXTS = ("model", "unit", "tier", "context", "region")
NO_YEAR = "has a bucket of no year that there is"


class BillError(ValueError):
    """A file that is no bill that can be read; the text says why."""


class InvoiceLine(Struct, frozen=True, kw_only=True):
    """A line of a bill. Of tier, context and region None = the bill does not tell them apart."""

    day: date
    kind: InvoiceKind
    account: str = ""
    """Which of several organisations with the provider is billed."""
    model: str = ""
    """As the bill calls it; of what no model is named for, the unit or the line. '' = of a total."""
    unit: str = ""
    """Ours; '' = the bill does not say of what; UNKNOWN = it does, in words that are not known here."""
    tier: str | None = None
    context: str | None = None
    region: str | None = None
    quantity: Decimal | None = None
    amount: Decimal | None = None
    listed: Decimal | None = None
    """Before what was agreed; None = the bill does not say."""
    currency: str = ""
    tolerance: Decimal = ZERO
    """How far the amount may be off by the digits that it is written in."""


class ProviderBill(Struct, frozen=True, kw_only=True):
    """All that one file says, and of which days it speaks: one without a row was billed at nothing."""

    provider: str
    rows: tuple[InvoiceLine, ...]
    days: tuple[tuple[date, InvoiceKind], ...]
    notes: tuple[str, ...] = ()


def utc_day(start: datetime, end: datetime) -> date:
    """The day in UTC that a bucket lies in. Raises BillError where it lies in no single one."""
    first, last = utc_span(start, end)
    if first != last:
        raise BillError(
            f"has a bucket from {start.isoformat()} to {end.isoformat()}, no part of one day in UTC: ask "
            "for buckets of a day"
        )
    return first


def utc_span(start: datetime, end: datetime) -> tuple[date, date]:
    """The first and the last day in UTC that a bucket lies in. Raises BillError."""
    if start.tzinfo is None or end.tzinfo is None:
        raise BillError("has a bucket without a zone: nobody knows which day it is of")
    try:
        first, last = start.astimezone(UTC), end.astimezone(UTC) - timedelta(microseconds=1)
    except OverflowError:
        raise BillError(NO_YEAR) from None
    if end <= start:
        raise BillError(f"has a bucket that ends at {end.isoformat()}, before it began: no part of one day")
    return first.date(), last.date()


def checked(amount: Decimal) -> Decimal:
    """An amount of a size that sums of it are exact of. Raises BillError."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PLACES_MAX or amount.adjusted() >= DIGITS_MAX:
        raise BillError(
            f"has an amount of more than {DIGITS_MAX} digits before the point, or {PLACES_MAX} after"
        )
    return amount


def storable(row: InvoiceLine) -> InvoiceLine:
    """The same with names as they can be kept and shown. Raises BillError for an amount of no currency."""
    if row.amount is not None and not re.fullmatch("[A-Z]{3}", row.currency, re.ASCII):
        raise BillError("has an amount whose currency is no three letters of ISO 4217")
    texts = {name: said for name in _TEXTS if (said := getattr(row, name))}
    changed = {name: kept for name, said in texts.items() if (kept := _kept_text(said)) != said}
    return structs.replace(row, **changed) if changed else row


def _kept_text(said: str) -> str:
    """Of what a file says, as much as is kept, and nothing that cannot be seen."""
    return visible(said[:TEXT_CHARACTERS_MAX])[:TEXT_CHARACTERS_MAX]
