"""A booked entry as projections read it: its sums, and what its event and its lines say. Pure.

Nothing that lies in the book may keep a projection from going on. What cannot be read counts with its sums,
and says nothing more.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Context as DecimalContext
from decimal import Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from spendmeter.contracts.events import Context, Labels, Outcome, Performance
from spendmeter.contracts.gate import check_told_apart
from spendmeter.contracts.money import normal_quantity, parse_decimal
from spendmeter.contracts.rated import Line, decode_lines
from spendmeter.platform.sql import load_sql

ENTRY_PARTS = load_sql(Path(__file__).with_name("entry.sql"))
"""Of statements that read entries: for `load_sql`, whoever reads them."""
SUMS = DecimalContext(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Exact sums of whatever an entry may hold: more digits than `money.EXACT`, for prices alone, takes."""
_NUL = "\\u0000"


class StatedUsage(Struct, frozen=True, gc=False):
    """What projections read of an event's data."""

    usage: dict[str, Any] = {}
    provider: str = ""
    sku: str = ""
    cost_class: str = "model"
    cadence: Any = "live"
    context: Context = Context()
    labels: Labels = Labels()
    performance: Performance = Performance()
    outcome: Outcome | None = None


class _Event(Struct, frozen=True, gc=False):
    data: StatedUsage


class BookEntry(Struct, frozen=True, gc=False):
    """One entry. Its sums are negative where `sign` is -1: it reverses another, whose event and lines these
    are."""

    sign: int
    occurred_at: datetime
    tenant: str
    series_id: bytes
    status: str
    currency: str
    list: Decimal
    contracted: Decimal
    effective: Decimal
    stated: StatedUsage
    lines: Sequence[Line]
    identity: bytes = b""
    events: int = 1
    """So many more there are: one less where `sign` is -1, and none of a true-up, which is a period's."""


_NOTHING = StatedUsage(context=Context(service_tier=""))
_decode_event: Callable[[str], _Event] = msgspec.json.Decoder(_Event, float_hook=Decimal).decode


def read_entry(
    seq: int,
    occurred_at: datetime,
    tenant: str,
    series_id: bytes,
    status: str,
    currency: str,
    listed: str,
    contracted: str,
    effective: str,
    event: str,
    lines: str,
    identity: bytes = b"",
) -> BookEntry:
    """A row of the statement `entries`."""
    try:
        stated, priced = _decode_event(event).data, decode_lines(lines)
        _check(stated)
        if not event.isascii() or "\\u" in event:
            check_told_apart(stated)  # more text than an index holds
        if _NUL in event or _NUL in lines:  # no column can hold what this may be
            stated, priced = _NOTHING, []
    except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
        stated, priced = _NOTHING, []
    amount = Decimal(effective)
    sign = -1 if seq % 2 else 1
    return BookEntry(
        sign, occurred_at, tenant, series_id, status, currency,
        amount if listed == effective else Decimal(listed),
        amount if contracted == effective else Decimal(contracted), amount, stated, priced, identity,
        sign if seq >= 0 else 0,
    )  # fmt: skip


def _check(stated: StatedUsage) -> None:
    """Raises ValueError for a figure that is not written plainly; quantities come out in their one form."""
    usage = stated.usage
    for unit, quantity in usage.items():
        if type(quantity) is not int:
            usage[unit] = normal_quantity(quantity)
    if stated.outcome is not None and stated.outcome.value is not None:
        parse_decimal(stated.outcome.value.amount)


def hex_bytes(value: bytes) -> str:
    """Bytes as Postgres reads them in JSON."""
    return "\\x" + value.hex()
