"""The charge: a row of somebody's bill, as `data.charge` of an event of type `spendmeter.charge.v1`.

It crosses `usage.events` as usage does, and has a sign: credits and refunds are negative. No price is asked:
what it says is what is booked. Quantities are information, and no usage of any unit.
"""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr

from spendmeter.contracts.events import CHARGE_TYPE, Currency, EventError, Instant, UsageEvent, broken_rule
from spendmeter.contracts.money import WHOLE_DIGITS_MAX, plain

CHARGE_AGE_MAX = timedelta(days=3660)
"""How old a bill may be. A charge that comes again is known by the identities of its import, for ever."""
FRACTION_DIGITS_MAX = 24
"""Bills are written to the digit that their vendor reckons with: twice what prices have."""
DETAILS_MAX = 16
_SIGNED = re.compile(rf"-?[0-9]{{1,{WHOLE_DIGITS_MAX}}}(\.[0-9]{{1,{FRACTION_DIGITS_MAX}}})?", re.ASCII)
_AMOUNTS = ("list", "contracted", "effective")
_FIGURES = (*_AMOUNTS, "billed", "quantity")

SignedAmount = Annotated[str, Meta(max_length=WHOLE_DIGITS_MAX + FRACTION_DIGITS_MAX + 2)]
BillText = Annotated[str, Meta(max_length=256)]
ChargeCategory = Literal["usage", "purchase", "tax", "credit", "adjustment"]


class Charge(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Signed amounts are plain decimal strings, in one currency. What `list`, `contracted` and `effective`
    are, FOCUS says: the cost at list price, at the agreed one, and with what was paid in advance spread over
    its use."""

    currency: Currency
    list: SignedAmount
    contracted: SignedAmount
    effective: SignedAmount
    billed: SignedAmount = ""
    """What the invoice asks for; it stands beside the three, and no sum has it."""
    category: ChargeCategory = "usage"
    correction: bool = False
    """Whether it corrects a bill of an earlier period (FOCUS: ChargeClass)."""
    until: Instant | UnsetType = UNSET
    """Where the time ends that it is for; it begins at the event's time."""
    quantity: SignedAmount = ""
    unit: Annotated[str, Meta(max_length=64)] = ""
    description: BillText = ""
    details: Annotated[dict[Annotated[str, Meta(max_length=64)], BillText], Meta(max_length=DETAILS_MAX)] = {}
    """What else the bill says of it, by the bill's own names."""


def read_charge(event: UsageEvent) -> None:
    """Check an event's charge, and put its figures into their one form. Raises EventError."""
    data = event.data
    if data.usage:
        raise EventError("must be empty: a charge states its quantity in data.charge.quantity", "data.usage")
    if data.reported_cost is not None:
        raise EventError("says what data.charge says: leave it out", "data.reported_cost")
    if data.cadence != "bill":
        raise EventError("must be bill, for a charge is a row of one", "data.cadence")
    try:
        charge = msgspec.convert(data.charge, Charge)
    except msgspec.ValidationError as error:
        raise broken_rule(error, "data.charge") from None
    for name in _FIGURES:
        text = getattr(charge, name)
        if text or name in _AMOUNTS:
            force_setattr(charge, name, _normal(text, name))
    force_setattr(data, "charge", charge)


def charge_of(event: UsageEvent) -> Charge | None:
    """The charge of an event that was read; None = it is usage."""
    charge = event.data.charge
    return charge if isinstance(charge, Charge) else None


def is_charge(event: UsageEvent) -> bool:
    """Whether it says that it is one."""
    return event.type == CHARGE_TYPE


def age_max_of(event: UsageEvent, age_max: timedelta) -> timedelta:
    """How old it may be, where usage may be `age_max`."""
    return CHARGE_AGE_MAX if event.type == CHARGE_TYPE else age_max


def _normal(text: str, name: str) -> str:
    if not _SIGNED.fullmatch(text):
        raise EventError(
            f"must be a plain decimal, negative for a credit, of at most {WHOLE_DIGITS_MAX} digits before "
            f"the point and {FRACTION_DIGITS_MAX} after it",
            f"data.charge.{name}",
        )
    return plain(Decimal(text))
