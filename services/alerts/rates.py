"""Rates of money: an amount in a stretch of time, by the hour. Pure."""

from datetime import timedelta
from decimal import Decimal

from spendmeter.contracts.money import EXACT, ZERO, divided

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def per_hour(amount: Decimal, duration: timedelta) -> Decimal:
    """`amount` in `duration` as an hourly rate; 0 for no time at all."""
    if duration <= timedelta():
        return ZERO
    return divided(EXACT.multiply(amount, Decimal(HOUR // MICROSECOND)), Decimal(duration // MICROSECOND))


def over(rate_per_hour: Decimal, duration: timedelta) -> Decimal:
    """What a rate comes to in `duration`."""
    microseconds = Decimal(duration // MICROSECOND)
    return divided(EXACT.multiply(rate_per_hour, microseconds), Decimal(HOUR // MICROSECOND))
