"""Reading what foreign senders state: a text, a quantity, what something cost. Pure."""

import re
from decimal import Context, Decimal, InvalidOperation

from spendmeter.contracts.money import plain, quantised

COST_MAX = 1_000_000_000
_EXACT_DIGITS = Context(prec=15)
"""What a float holds of any decimal: digits beyond these are how a sender multiplied, not money."""
_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?")


class Unusable(ValueError):
    """Something that cannot be an event: the field, and the rule."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def text_of(said: object) -> str:
    """A text without blanks around it; of anything else, nothing."""
    return said.strip() if isinstance(said, str) else ""


def quantity_of(said: object, field: str) -> int | Decimal:
    """A number, or one that is written as a text. Raises Unusable."""
    number = _decimal(said)
    if number is None or not number.is_finite() or number.adjusted() > 30 or number < 0:
        raise Unusable(field, "must be a number of at least 0, or one in a text")
    return int(number) if number == number.to_integral_value() else number


def cost_of(amount: object, field: str, currency: str = "USD") -> dict[str, str] | None:
    """What a sender says that something cost, as it stands in an event; None = it does not say, or 0, which
    gateways also say of what they know no price for. Raises Unusable."""
    if amount is None:
        return None
    exact = _decimal(amount)
    if exact is None or not exact.is_finite() or not 0 <= exact < COST_MAX:
        raise Unusable(field, f"must be an amount of at least 0 and below {COST_MAX}")
    said = plain(quantised(_EXACT_DIGITS.plus(exact)))
    return None if said == "0" else {"amount": said, "currency": currency}


def _decimal(said: object) -> Decimal | None:
    """Decimal itself takes "1_000", "NaN" and digits of all scripts: none of them is a number in a text."""
    if isinstance(said, bool) or not isinstance(said, int | Decimal | str):
        return None
    if isinstance(said, str) and not _NUMBER.fullmatch(said.strip()):
        return None
    try:
        return Decimal(said)
    except InvalidOperation:
        return None
