"""Whether a conflict is the sender's later word of the same use, which amends what is booked. Pure.

An interrupted call is booked by what was known of it, and told again when it is over, by the same key and
under the same id. Such a message may say more, and once: whoever sends other calls under one id changes
little by it. Less it may say of estimated quantities alone.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from services.corrector.in_force import EventState
from spendmeter.contracts.corrections import BOOK_MAX, BOOK_MIN, EventCorrection
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EVENT_TYPE, EventError, UsageData, UsageEvent
from spendmeter.contracts.gate import check_rules

WITHIN = timedelta(hours=24)
"""Of the receipt of what is booked."""
RAISE_REVISION = -1
"""Below every revision that people's amends have: theirs are laid on it, whichever comes first."""
REASON = "a later message with the same id, from the same key, says more of the same use"
_FIXED = ("cost_class", "provider", "sku", "cadence", "labels")
"""Of an event's data, what a later message of one use has in common with the first."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def raise_id(topic: str, partition: int, offset: int) -> str:
    """Of the amend that the conflict at this place makes; so does the SQL function."""
    return f"raise-{topic}-{partition}-{offset}"


def raised(state: EventState, sent: str, id: str) -> EventCorrection | None:
    """The amend that a conflict, as it was sent, makes of what is booked; None = it stays a conflict."""
    if state.entry is None or state.raised_by is not None:
        return None  # retracted; or amended by an earlier message
    try:
        booked, later = _read(state.first_event), _read(sent)
    except EventError:
        return None  # it passed an older gate
    if not _is_of_the_same_use(booked, later) or not _says_more(
        booked.data, later.data, trusted=booked.trustreportedcost
    ):
        return None
    assert later.receivedat is not UNSET, "it was compared"
    return EventCorrection(
        id=id,
        tenant=later.tenant,
        source=later.source,
        event_id=later.id,
        kind="amend",
        revision=RAISE_REVISION,
        patch=Raw(_encode(_patch(booked.data, later.data))),
        reason=REASON,
        by=f"key {later.keyid}",
        at=later.receivedat,
    )


def _read(text: str) -> UsageEvent:
    """What it says by the rules of when it was received. Raises EventError."""
    event = read_event(text.encode())
    check_rules(event, plain=True, received_at=event.receivedat or None)
    return event


def _is_of_the_same_use(booked: UsageEvent, later: UsageEvent) -> bool:
    if booked.receivedat is UNSET or later.receivedat is UNSET:
        return False
    return (
        booked.type == later.type == EVENT_TYPE
        and (booked.tenant, booked.keyid) == (later.tenant, later.keyid)
        and booked.trustreportedcost == later.trustreportedcost
        and abs(later.receivedat - booked.receivedat) <= WITHIN
        and BOOK_MIN <= later.receivedat <= BOOK_MAX  # an operator writes to Kafka what he likes
        and all(_same(name, booked.data, later.data) for name in _FIXED)
        and (bool(booked.data.estimated) or booked.data.context == later.data.context)
    )


def _same(name: str, booked: UsageData, later: UsageData) -> bool:
    one, other = getattr(booked, name), getattr(later, name)
    if name == "labels":  # the month of the pseudonym may have changed, and what the day has room for
        one, other = (msgspec.structs.replace(each, user="", folded=()) for each in (one, other))
    return bool(one == other)


def _says_more(booked: UsageData, later: UsageData, *, trusted: bool) -> bool:
    was, now = set(booked.estimated), set(later.estimated)
    if not now <= was:
        return False  # an estimate after what was counted
    for unit, quantity in booked.usage.items():
        if unit not in was and later.usage.get(unit, 0) < quantity:
            return False
    if not was and not _costs_no_less(booked, later, trusted=trusted):
        return False
    more = any(quantity > booked.usage.get(unit, 0) for unit, quantity in later.usage.items())
    return more or now < was


def _costs_no_less(booked: UsageData, later: UsageData, *, trusted: bool) -> bool:
    """Of what senders say that it cost, which is booked where they are trusted. What prices made is not
    brought down by a word that comes later either."""
    one, other = booked.reported_cost, later.reported_cost
    if one is None:
        return other is None or not trusted
    return (
        other is not None and other.currency == one.currency and Decimal(other.amount) >= Decimal(one.amount)
    )


def _patch(booked: UsageData, later: UsageData) -> Mapping[str, Any]:
    """A merge patch that makes `later` of `booked`, in what a later message may change."""
    patch: dict[str, Any] = {
        "usage": {**dict.fromkeys(booked.usage), **later.usage},
        "estimated": list(later.estimated) or None,
    }
    if booked.normalised != later.normalised:
        patch["normalised"] = later.normalised
    for name in ("context", "performance", "outcome", "reported_cost"):
        one, other = getattr(booked, name), getattr(later, name)
        if other is not None and one != other:
            patch[name] = msgspec.structs.asdict(other)
            if name == "outcome" and other.value is not None:
                patch[name]["value"] = msgspec.structs.asdict(other.value)
    return patch
