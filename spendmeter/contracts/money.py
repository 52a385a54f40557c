"""Money: Decimal end to end, exact until one named function rounds.

Sums and products run in `EXACT`, where an inexact result raises; a division or a currency conversion goes
through `quantised`, which says how it rounds; presentation rounds once more, in `presented`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)
from functools import reduce

EXACT = Context(
    prec=60,
    rounding=ROUND_HALF_EVEN,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, Underflow, Clamped],
)
"""Products and sums: 60 digits hold any price times any quantity; losing one is a bug and raises."""

_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_PLACES_12 = Decimal("1E-12")
ZERO = Decimal(0)

WHOLE_DIGITS_MAX = 18
FRACTION_DIGITS_MAX = 12
_PLAIN = re.compile(rf"[0-9]{{1,{WHOLE_DIGITS_MAX}}}(\.[0-9]{{1,{FRACTION_DIGITS_MAX}}})?")
_QUANTITY_LIMIT = Decimal(2**63)


def parse_decimal(text: str) -> Decimal:
    """A non-negative decimal written plainly: ASCII digits, at most 18 before the point and 12 after it.

    Decimal() itself takes "1_000", "NaN", blanks and full-width digits; none of them is money.
    Raises ValueError with the rule.
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError(
            f"must be a plain non-negative decimal of at most {WHOLE_DIGITS_MAX} digits before the point "
            f"and {FRACTION_DIGITS_MAX} after it"
        )
    return Decimal(text)


def normal_quantity(value: object) -> int | Decimal:
    """A quantity in its one normal form: an int where it is whole, else a Decimal without trailing zeros.

    Takes what a JSON number or string decodes to (int, Decimal, str). Raises ValueError with the rule.
    """
    if type(value) is int:
        if 0 <= value < 2**63:
            return value
        raise ValueError("must be at least 0 and below 2^63")
    if isinstance(value, str):
        value = parse_decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError("must be a number or a decimal string")  # noqa: TRY004 - one error for bad input
    if not value.is_finite() or value < 0 or value >= _QUANTITY_LIMIT:
        raise ValueError("must be a finite number, at least 0 and below 2^63")
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -FRACTION_DIGITS_MAX or exponent > WHOLE_DIGITS_MAX:
        raise ValueError(f"must have at most {FRACTION_DIGITS_MAX} digits after the point")
    whole = int(value)
    return whole if whole == value else value.normalize(EXACT)


def quantised(value: Decimal) -> Decimal:
    """`value` rounded half-even to 12 places: the one rounding of divisions and currency conversions."""
    return value.quantize(_PLACES_12, context=_WIDE)


def divided(dividend: Decimal, divisor: Decimal) -> Decimal:
    """dividend / divisor, quantised. Raises DivisionByZero."""
    return quantised(_WIDE.divide(dividend, divisor))


def prorated(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """amount x part / whole, quantised once; all of it, to its last digit, where the part is the whole."""
    return amount if part == whole else quantised(_WIDE.divide(_WIDE.multiply(amount, part), whole))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(EXACT.add, amounts, ZERO)


def totals(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """The exact sum of each name's amounts."""
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for name, amount in amounts:
        found[name] = EXACT.add(found[name], amount)
    return dict(found)


def plain(amount: Decimal) -> str:
    """The amount as JSON carries it: plain digits, no exponent, no trailing zeros ("0.025", "10", "0")."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def presented(amount: Decimal, places: int = 2) -> str:
    """For people: rounded half-even to `places`, with thousands separators ("1,234.57")."""
    return f"{amount.quantize(Decimal(1).scaleb(-places), context=_WIDE):,f}"
