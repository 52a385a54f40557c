"""What the native API takes, and what it means as operations. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from services.reservations.operations import Commit, Extend, Release, Reserve, reservation_id
from services.reservations.own_event import check_bookable, own_event
from services.reservations.values import LIFE_MAX, TTL_MAX, Reservation
from spendmeter.contracts.dimensions import is_name
from spendmeter.contracts.event_identity import canonical, identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import LABELS, EventError
from spendmeter.contracts.gate import as_booked, check_rules, check_visible
from spendmeter.contracts.money import normal_quantity, parse_decimal
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.pricing.bound import Bound, Bounder, BoundRefused
from spendmeter.pricing.engine import rate
from spendmeter.pricing.output_limits import shipped_output_limits
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.ways import AnyWay

Word = Annotated[str, Meta(min_length=1, max_length=256)]
StatedValue = Annotated[str, Meta(max_length=128)]
Money = Annotated[str, Meta(max_length=64)]
Few = Annotated[dict[Annotated[str, Meta(max_length=64)], Any], Meta(max_length=64)]
FROM_ELSEWHERE = frozenset({"provider", "sku", "cost_class", "key_id"})
"""Dimensions that the call or the key says."""


class RequestFault(ValueError):
    """`field` breaks a rule, which `reason` says."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


class NamedEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event that books the call, as an application sends it."""

    source: Word
    id: Word


class CallContext(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the call will be served, as far as that is known (`pricing/ways.py`)."""

    service_tier: Annotated[str, Meta(pattern="^[!-~]{0,64}$")] | None = None
    region: Annotated[str, Meta(pattern="^[!-~]{0,64}$")] | None = None
    batch: bool | None = None


class CallAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is about to be spent: a model's call, or an amount in the tenant's currency."""

    provider: StatedValue = ""
    sku: Annotated[str, Meta(max_length=256)] = ""
    cost_class: StatedValue = "model"
    quantities: Few = {}
    max_output_tokens: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    context: CallContext = CallContext()
    amount: Money | None = None
    dimensions: Annotated[dict[StatedValue, StatedValue], Meta(max_length=32)] = {}


class ReserveAsked(CallAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations`."""

    idempotency_key: Word | None = None
    ttl_s: Annotated[int, Meta(ge=1, le=int(TTL_MAX.total_seconds()))] = 300
    event: NamedEvent | None = None


class CommitAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/commit`: what was used, or what it cost, or which event says so."""

    idempotency_key: Word | None = None
    usage: Few = {}
    amount: Money | None = None
    event: NamedEvent | None = None


class ReleaseAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/release`."""

    idempotency_key: Word | None = None


class ExtendAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/extend`."""

    by_s: Annotated[int, Meta(ge=1, le=int(TTL_MAX.total_seconds()))]
    idempotency_key: Word | None = None


def bound_of(asked: CallAsked, bounder: Bounder | None, tenant: str, currency: str, now: datetime) -> Bound:
    """The most that it can cost. Raises RequestFault."""
    if asked.amount is not None:
        if asked.quantities or asked.max_output_tokens is not None:
            raise RequestFault("amount", "is for what no catalog prices: state quantities, or an amount")
        amount = money(asked.amount)
        return Bound(amount=amount, currency=currency, provisional=False, because=("as stated",))
    if bounder is None:
        raise RequestFault("sku", "cannot be priced: no catalog has been read yet; state an amount")
    if not (asked.provider and asked.sku):
        raise RequestFault("sku", "is needed with provider, or an amount")
    found = bounder.bound(
        tenant,
        provider=asked.provider,
        sku=asked.sku,
        quantities=quantities_of(asked.quantities, "quantities"),
        max_output_tokens=asked.max_output_tokens,
        way=AnyWay(**msgspec.to_builtins(asked.context)),
        since=now,
        until=now + LIFE_MAX,
        most_output=shipped_output_limits(),
    )
    if isinstance(found, BoundRefused):
        raise RequestFault(found.field or "sku", found.reason)
    return found


def dimensions_of(asked: CallAsked) -> dict[str, str]:
    """As the book will have them. Raises RequestFault."""
    found = {"cost_class": asked.cost_class}
    found |= {name: value for name in ("provider", "sku") if (value := getattr(asked, name))}
    for name, value in asked.dimensions.items():
        known = name in DIMENSIONS or name in LABELS or is_name(name)
        if not known or name in FROM_ELSEWHERE:
            raise RequestFault("dimensions", f"{name[:40]!r} is no dimension that is stated here")
        if name == "user" and value:
            raise RequestFault("dimensions", "user becomes a pseudonym at the gate alone: leave it out here")
        found[name] = value
    try:
        for name, value in found.items():
            check_visible(value, name)
            found[name] = as_booked(name, value)
        check_bookable(found)
    except EventError as error:
        raise RequestFault("dimensions", str(error)) from None
    return found


def reserve_of(
    asked: ReserveAsked, bound: Bound, tenant: str, key_id: str, idempotency_key: str, now: datetime
) -> Reserve:
    """The operation."""
    context = {name: value for name, value in msgspec.to_builtins(asked.context).items() if value is not None}
    payload = digest(asked, key_id)
    return Reserve(
        key_id=key_id,
        endpoint="reserve",
        idempotency_key=idempotency_key,
        payload=payload,
        id=reservation_id(tenant, "reserve", idempotency_key, payload, now),
        dimensions=dimensions_of(asked),
        bound=bound.amount,
        ttl=timedelta(seconds=asked.ttl_s),
        identity=_identity(tenant, asked.event),
        provisional=bound.provisional,
        details={"context": context, "because": list(bound.because)},
    )


def commit_of(
    asked: CommitAsked, found: Reservation | None, book: PriceBook | None, tenant: str, currency: str,
    key_id: str, reservation: UUID, now: datetime,
) -> Commit:  # fmt: skip
    """The operation; what was used is priced as it will be booked. Raises RequestFault."""
    usage = quantities_of(asked.usage, "usage")
    actual = None if asked.amount is None else money(asked.amount)
    if actual is None and usage and found is not None:
        actual = _priced(found, usage, book, tenant, currency, now)
    return Commit(
        key_id=key_id,
        endpoint="commit",
        idempotency_key=asked.idempotency_key or str(reservation),
        payload=digest(asked, key_id, reservation),
        reservation=reservation,
        actual=actual,
        usage=usage,
        identity=_identity(tenant, asked.event),
    )


def release_of(asked: ReleaseAsked, key_id: str, reservation: UUID) -> Release:
    """The operation."""
    return Release(
        key_id=key_id,
        endpoint="release",
        idempotency_key=asked.idempotency_key or str(reservation),
        payload=digest(asked, key_id, reservation),
        reservation=reservation,
    )


def extend_of(asked: ExtendAsked, key_id: str, reservation: UUID, idempotency_key: str) -> Extend:
    """The operation."""
    return Extend(
        key_id=key_id,
        endpoint="extend",
        idempotency_key=idempotency_key,
        payload=digest(asked, key_id, reservation),
        reservation=reservation,
        by=timedelta(seconds=asked.by_s),
    )


def digest(asked: Struct, key_id: str, about: UUID | None = None) -> bytes:
    """Of what is asked and by whom, however it was written, and without the key that it is asked under."""
    said = msgspec.to_builtins(asked)
    said.pop("idempotency_key", None)
    return hashlib.sha256(canonical([said, key_id, about])).digest()


def money(text: str) -> Decimal:
    """Raises RequestFault."""
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise RequestFault("amount", str(error)) from None


def quantities_of(stated: Mapping[str, Any], field: str) -> dict[str, int | Decimal]:
    """Raises RequestFault."""
    try:
        return {unit: normal_quantity(quantity) for unit, quantity in stated.items()}
    except ValueError as error:
        raise RequestFault(field, str(error)) from None


def _identity(tenant: str, event: NamedEvent | None) -> bytes | None:
    return None if event is None else identity(tenant, event.source, event.id)


def _priced(
    found: Reservation,
    usage: Mapping[str, Any],
    book: PriceBook | None,
    tenant: str,
    currency: str,
    now: datetime,
) -> Decimal | None:
    """What it will be booked at; None = nobody can say yet, so that the bound stays held. Raises
    RequestFault."""
    try:
        event = read_event(own_event(tenant, found, usage, None, currency, now).encode())
        check_rules(event, False, now)
    except EventError as error:
        raise RequestFault("usage", str(error)) from None
    if book is None:
        return None
    rating = rate(event, book)
    return None if rating.status == "unpriced" else rating.effective
