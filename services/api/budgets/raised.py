"""What a granted request makes of a budget. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from spendmeter.contracts.money import EXACT

Lasts = Literal["period", "for_good"]


class BudgetAmounts(NamedTuple):
    """What a budget is, and what it becomes at an instant; None = it stays."""

    amount: Decimal
    currency: str
    next_from: datetime | None = None
    next_amount: Decimal | None = None
    next_currency: str | None = None

    @property
    def returns(self) -> bool:
        """Whether it is raised for a while, and becomes what it was."""
        return self.next_from is not None and self.next_currency == self.currency


def raised(now: BudgetAmounts, more: Decimal, lasts: Lasts, period_end: datetime) -> BudgetAmounts | None:
    """The budget with so much more. For a period: it becomes what it was when that ends; None = what it then
    becomes is settled already, by a change of the tenant's currency."""
    amount = EXACT.add(now.amount, more)
    if lasts == "period":
        if now.returns:  # raised before in this period: that ends with it, too
            return now._replace(amount=amount)
        if now.next_from is not None:
            return None
        return BudgetAmounts(amount, now.currency, period_end, now.amount, now.currency)
    if now.returns and now.next_amount is not None:
        return now._replace(amount=amount, next_amount=EXACT.add(now.next_amount, more))
    return now._replace(amount=amount)
