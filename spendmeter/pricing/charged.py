"""What a bill's row comes to in the book: its own amounts, converted as all money is. Pure."""

from datetime import datetime
from decimal import Decimal

from spendmeter.contracts.charges import Charge
from spendmeter.contracts.money import EXACT, ZERO, plain, quantised
from spendmeter.contracts.rated import Line, PriceStatus
from spendmeter.pricing.price_book import PriceBook

CHARGE_UNIT = "charge"
"""What its line is about: the charge itself, once."""

BookedCharge = tuple[Line, Decimal, Decimal, Decimal]
"""The line, and its list, contracted and effective amounts in book currency."""


def charged(charge: Charge, time: datetime, currency: str, book: PriceBook) -> BookedCharge:
    """The one line of a charge, in a book in `currency`. Without an exchange rate it is unpriced, and adds
    nothing."""
    stated = Decimal(charge.list), Decimal(charge.contracted), Decimal(charge.effective)
    status: PriceStatus = "reported"
    reason, fx, booked = "as billed", "", stated
    if charge.currency != currency and any(stated):
        rate = book.fx(charge.currency, currency, time)
        if rate is None:
            status, booked = "unpriced", (ZERO, ZERO, ZERO)
            reason = f"No rate from {charge.currency} to {currency} on {time:%Y-%m-%d}"
        else:
            fx, factor = rate.id, Decimal(rate.rate)
            converted = [quantised(EXACT.multiply(amount, factor)) for amount in stated]
            booked = converted[0], converted[1], converted[2]
    listed, agreed, effective = stated
    has_contract, has_effective = agreed != listed, effective != agreed
    line = Line(
        unit=CHARGE_UNIT,
        quantity=1,
        price=charge.list,
        amount=charge.list,
        contracted_price=charge.contracted if has_contract else None,
        contracted_amount=charge.contracted if has_contract else None,
        effective_amount=charge.effective if has_effective else None,
        currency="" if charge.currency == currency else charge.currency,
        fx=fx,
        book_list=plain(booked[0]) if fx else None,
        book_contracted=plain(booked[1]) if fx and has_contract else None,
        book_effective=plain(booked[2]) if fx and has_effective else None,
        status=status,
        reason=reason,
    )
    return line, *booked
