"""What a provider says that it charged for or that was used, in our words. Pure."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from spendmeter.contracts.money import ZERO

InvoiceKind = Literal["cost", "total", "usage"]
"""cost: amounts by model or line; total: the amount of the day alone; usage: quantities without amounts."""
CENT_PLACES = 2
DIGITS_MAX, PLACES_MAX = 18, 30
NO_YEAR = "has a bucket of no year that there is"


class BillError(ValueError):
    """A file that is no bill that can be read; the text says why."""


class InvoiceLine(Struct, frozen=True, kw_only=True):
    """A line of a bill. Of tier, context and region None = the bill does not tell them apart."""

    day: date
    kind: InvoiceKind
    model: str = ""
    """As the bill calls it; of what no model is named for, the unit or the line. '' = of a total."""
    unit: str = ""
    """Ours; '' = the bill does not say of what."""
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


def tolerance_of(written: Decimal) -> Decimal:
    """Half of the last place of an amount, half a cent at most."""
    exponent = written.as_tuple().exponent
    places = max(-exponent if isinstance(exponent, int) else 0, CENT_PLACES)
    return Decimal(5).scaleb(-places - 1)


def utc_day(start: datetime, end: datetime) -> date:
    """The day in UTC that a bucket lies in. Raises BillError where it lies in no single one."""
    if start.tzinfo is None or end.tzinfo is None:
        raise BillError("has a bucket without a zone: nobody knows which day it is of")
    try:
        first, last = start.astimezone(UTC), end.astimezone(UTC) - timedelta(microseconds=1)
    except OverflowError:
        raise BillError(NO_YEAR) from None
    if end <= start or first.date() != last.date():
        raise BillError(
            f"has a bucket from {start.isoformat()} to {end.isoformat()}, no part of one day in UTC: ask "
            "for buckets of a day"
        )
    return first.date()


def checked(amount: Decimal) -> Decimal:
    """An amount of a size that sums of it are exact of. Raises BillError."""
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PLACES_MAX or amount.adjusted() >= DIGITS_MAX:
        raise BillError(
            f"has an amount of more than {DIGITS_MAX} digits before the point, or {PLACES_MAX} after"
        )
    return amount
