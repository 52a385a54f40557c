"""Amounts as a table shows them: exact ones have up to twelve digits after the point, and are in --json."""

from decimal import Decimal

from spendmeter.contracts.money import presented


def rounded(amount: str) -> str:
    """Cents, "1,200.50"; below one so many places that two digits of it are seen, four at least."""
    exact = Decimal(amount)
    if abs(exact) >= 1 or not exact:
        return presented(exact)
    return presented(exact, max(4, 1 - exact.adjusted()))


def rounded_percent(percent: str) -> str:
    """A percentage with one place at most: "24 %", "2,869.8 %"."""
    return presented(Decimal(percent), 1).removesuffix(".0") + " %"
