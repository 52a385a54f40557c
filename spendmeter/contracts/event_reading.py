"""How a usage event is read: `read_event` is the gate, for one, and `read_batch` the fast way for many.

Ingest and rating both pass every event through it and through `gate.check_rules`, its newer rules, for
nothing on a topic is trusted. Unknown fields are ignored. Quantities come out in their one normal form
(`normal_quantity`).
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from spendmeter.contracts.charges import read_charge
from spendmeter.contracts.events import (
    CHARGE_TYPE,
    EVENT_TYPE,
    Amount,
    EventError,
    UsageEvent,
    broken_rule,
    encode_event,
)
from spendmeter.contracts.foreign_units import explain_foreign_unit
from spendmeter.contracts.money import normal_quantity, parse_decimal
from spendmeter.contracts.units import WHOLE_UNITS

EVENT_BYTES_MAX = 256 * 1024
UNITS_MAX = 64
TIME_AHEAD_MAX = timedelta(hours=1)

decode_event = msgspec.json.Decoder(UsageEvent, float_hook=Decimal).decode
decode_batch = msgspec.json.Decoder(list[UsageEvent], float_hook=Decimal).decode
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # an escaped backslash before "u0000" is no NUL


def read_event(raw: bytes, decode: Callable[[bytes], UsageEvent] = decode_event) -> UsageEvent:
    """Decode and check everything that does not depend on the clock. Raises EventError. `decode` may be
    stricter: `known_fields` has one."""
    if len(raw) > EVENT_BYTES_MAX:
        raise EventError(f"an event may have at most {EVENT_BYTES_MAX} bytes, this one has {len(raw)}")
    event: UsageEvent = decoded(decode, raw)
    _check(event, _may_hold_nul(raw))
    return event


def read_batch(
    raw: bytes, decode: Callable[[bytes], Sequence[UsageEvent]] = decode_batch
) -> Sequence[UsageEvent]:
    """The fast way through a JSON array of events. Raises EventError for the first bad one, without its
    index: a caller that must name them all reads them one by one."""
    events: Sequence[UsageEvent] = decoded(decode, raw)
    nul = _may_hold_nul(raw)
    for event in events:
        _check(event, nul)
    return events


def decoded(decode: Any, raw: bytes) -> Any:
    """What `decode` makes of `raw`. Raises EventError."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise broken_rule(error) from None
    except RecursionError:
        raise EventError("is nested too deep") from None
    except InvalidOperation:  # what Decimal makes of an exponent that it cannot hold
        raise EventError("holds a number out of range") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError(f"is not JSON: {error}") from None


def holds_nul(raw: bytes) -> bool:
    """Whether any string of the JSON holds a NUL, which Postgres cannot store."""
    return _may_hold_nul(raw) and _NUL.search(raw) is not None


def _may_hold_nul(raw: bytes) -> bool:
    # No NUL without a backslash, which is rare; and a plain search costs a hundredth of the exact one.
    return 0x5C in raw and b"\\u0000" in raw


def _check(event: UsageEvent, may_have_nul: bool) -> None:
    usage = event.data.usage
    if event.type == CHARGE_TYPE:
        read_charge(event)
    elif event.type != EVENT_TYPE:
        raise EventError(f"unknown type; this endpoint takes {EVENT_TYPE!r}", "type")
    elif not usage:
        raise EventError("no usage: name at least one unit and its quantity", "data.usage")
    if len(usage) > UNITS_MAX:
        raise EventError(f"at most {UNITS_MAX} units an event, this one has {len(usage)}", "data.usage")
    for unit, quantity in usage.items():
        if type(quantity) is not int or not 0 <= quantity < 0x8000000000000000:
            try:
                usage[unit] = quantity = normal_quantity(quantity)
            except ValueError as error:
                raise EventError(
                    explain_foreign_unit(unit, usage) or str(error), f"data.usage.{unit}"
                ) from None
            if unit in WHOLE_UNITS and type(quantity) is not int:
                raise EventError("must be a whole number", f"data.usage.{unit}")
    data = event.data
    if data.reported_cost is not None:
        check_amount(data.reported_cost, "data.reported_cost.amount")
    if data.outcome is not None and data.outcome.value is not None:
        check_amount(data.outcome.value, "data.outcome.value.amount")
    if may_have_nul and holds_nul(encode_event(event)):
        raise EventError("holds a NUL character (U+0000)")


def check_amount(amount: Amount, field: str) -> None:
    """Raises EventError where it is not written plainly."""
    try:
        parse_decimal(amount.amount)
    except ValueError as error:
        raise EventError(str(error), field) from None


def check_time(time: datetime, now: datetime, age_max: timedelta) -> None:
    """Refuse a time more than an hour ahead, or older than the dedupe horizon. Raises EventError."""
    if time > now + TIME_AHEAD_MAX:
        raise EventError(f"is more than 1 h ahead of {now.isoformat()}", "time")
    if time < now - age_max:
        raise EventError(f"is more than {age_max.days} days back (the dedupe horizon)", "time")
