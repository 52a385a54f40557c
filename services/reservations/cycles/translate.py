"""Cycles in operations of ours. Pure.

The estimate is what is held: Cycles says no model and no tokens that the catalog could bound. A commit sends
an event of ours (own_event.py) at the stated cost, unless `metadata.event` names, with `source` and `id`, the
one that books the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from services.reservations.cycles.levels import class_of, dimensions_by, model_of
from services.reservations.cycles.wire import (
    CyclesAction,
    CyclesAmount,
    CyclesCommit,
    CyclesCreate,
    CyclesDecide,
    CyclesEvent,
    CyclesExtend,
    CyclesFault,
    CyclesRelease,
    CyclesSubject,
    OveragePolicy,
)
from services.reservations.operations import (
    Commit,
    Debit,
    Extend,
    Overage,
    Release,
    Reserve,
    reservation_id,
)
from services.reservations.requests import CallAsked, RequestFault, dimensions_of
from services.reservations.values import Reservation
from spendmeter.contracts.event_identity import canonical, identity
from spendmeter.contracts.label_maps import TenantMaps

UNIT = "USD_MICROCENTS"
PLACES = 8
"""A microcent is 1e-8 USD."""
DETAILS = "cycles"
_OVERAGE: Mapping[OveragePolicy, Overage] = {
    "REJECT": "reject",
    "ALLOW_IF_AVAILABLE": "overdraft",
    "ALLOW_WITH_OVERDRAFT": "overdraft",
}
"""What was spent is counted in full: to cap it at what is left, as the protocol has it, hides money."""


class CyclesCaller(Struct, frozen=True, kw_only=True):
    """Who asks, and what holds for its tenant."""

    tenant: str
    key_id: str
    currency: str
    maps: TenantMaps


def dollars(amount: CyclesAmount, caller: CyclesCaller) -> Decimal:
    """Raises CyclesFault where it is no amount of the tenant's book."""
    if amount.unit != UNIT or caller.currency != "USD":
        raise CyclesFault(
            400, "UNIT_MISMATCH", f"the book of {caller.tenant} is in {caller.currency}, not in {amount.unit}"
        )
    return Decimal(amount.amount).scaleb(-PLACES)


def dimensions_for(subject: CyclesSubject, action: CyclesAction, caller: CyclesCaller) -> dict[str, str]:
    """As the book will have them. Raises CyclesFault."""
    if not any(getattr(subject, level) for level in CyclesSubject.__struct_fields__ if level != "dimensions"):
        raise CyclesFault(400, "INVALID_REQUEST", "subject: names none of the standard levels")
    if subject.tenant and subject.tenant != caller.tenant:
        raise CyclesFault(403, "FORBIDDEN", "subject.tenant is another than the key's")
    provider, sku = model_of(action)
    try:
        asked = CallAsked(
            provider=provider,
            sku=sku,
            cost_class=class_of(action),
            dimensions=dimensions_by(subject, caller.maps),
        )
        return dimensions_of(asked)
    except RequestFault as fault:
        raise CyclesFault(400, "INVALID_REQUEST", str(fault)) from None


def reserve_by(asked: CyclesCreate, caller: CyclesCaller, now: datetime) -> Reserve:
    """Raises CyclesFault. What is committed within the grace period counts as in time, so it is held so
    long."""
    said = _asked("reserve", asked, caller)
    return Reserve(
        **said,
        id=_id_of(said, caller, now),
        dimensions=dimensions_for(asked.subject, asked.action, caller),
        bound=dollars(asked.estimate, caller),
        ttl=timedelta(milliseconds=asked.ttl_ms + asked.grace_period_ms),
        identity=_event_of(asked.metadata, caller),
        details={DETAILS: _details(asked)},
    )


def commit_by(asked: CyclesCommit, caller: CyclesCaller, found: Reservation | None, id: UUID) -> Commit:
    """Raises CyclesFault. `found`: the reservation, which says what becomes of a call that cost more."""
    policy = said_of(found).get("overage_policy", "ALLOW_IF_AVAILABLE")
    return Commit(
        **_asked("commit", asked, caller, id),
        reservation=id,
        actual=dollars(asked.actual, caller),
        identity=_event_of(asked.metadata, caller),
        overage=_OVERAGE[policy],
    )


def release_by(asked: CyclesRelease, caller: CyclesCaller, id: UUID) -> Release:
    return Release(**_asked("release", asked, caller, id), reservation=id)


def extend_by(asked: CyclesExtend, caller: CyclesCaller, id: UUID) -> Extend:
    by = timedelta(milliseconds=asked.extend_by_ms)
    return Extend(**_asked("extend", asked, caller, id), reservation=id, by=by)


def debit_by(asked: CyclesEvent, caller: CyclesCaller, now: datetime) -> Debit:
    """Raises CyclesFault."""
    said = _asked("event", asked, caller)
    return Debit(
        **said,
        id=_id_of(said, caller, now),
        dimensions=dimensions_for(asked.subject, asked.action, caller),
        bound=dollars(asked.actual, caller),
        identity=_event_of(asked.metadata, caller),
        details={DETAILS: _details(asked)},
        overage=_OVERAGE[asked.overage_policy],
    )


def said_of(reservation: Reservation | None) -> Mapping[str, Any]:
    """What a client of Cycles said when it made it; empty of one that another has made."""
    found: Mapping[str, Any] = reservation.details.get(DETAILS, {}) if reservation else {}
    return found


def _asked(
    endpoint: str, asked: CyclesCreate | CyclesCommit | CyclesRelease | CyclesExtend | CyclesEvent,
    caller: CyclesCaller, about: UUID | None = None,
) -> dict[str, Any]:  # fmt: skip
    said = msgspec.to_builtins(asked)
    if any("\0" in text for text in _texts(said)):  # Postgres keeps none of those, however often they come
        raise CyclesFault(400, "INVALID_REQUEST", "holds U+0000, which no text may hold")
    key = said.pop("idempotency_key")
    # Another key that happens to say the same under the same idempotency key makes a call of its own.
    payload = hashlib.sha256(canonical([said, caller.key_id, about and str(about)])).digest()
    return {
        "key_id": caller.key_id,
        "endpoint": f"cycles:{endpoint}",
        "idempotency_key": key,
        "payload": payload,
    }


def _id_of(said: Mapping[str, Any], caller: CyclesCaller, now: datetime) -> UUID:
    return reservation_id(caller.tenant, said["endpoint"], said["idempotency_key"], said["payload"], now)


def _texts(said: object) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for name, value in said.items():
            yield name
            yield from _texts(value)
    elif isinstance(said, list | tuple):
        for value in said:
            yield from _texts(value)


def _details(asked: CyclesDecide | CyclesEvent) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(asked)
    return {name: value for name, value in said.items() if name not in ("estimate", "actual", "metrics")}


def _event_of(metadata: Mapping[str, Any], caller: CyclesCaller) -> bytes | None:
    """The event that books the call, where the caller names one. Raises CyclesFault."""
    named = metadata.get("event")
    if named is None:
        return None
    if not isinstance(named, dict) or not all(isinstance(named.get(each), str) for each in ("source", "id")):
        raise CyclesFault(400, "INVALID_REQUEST", "metadata.event: has source and id, both texts")
    return identity(caller.tenant, named["source"], named["id"])
