"""The event of a call that nobody else sends: its id is the reservation's. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from services.reservations.values import Reservation
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import (
    EVENT_TYPE,
    LABELS,
    Amount,
    Context,
    Labels,
    UsageData,
    UsageEvent,
    encode_event,
)
from spendmeter.contracts.gate import check_rules
from spendmeter.contracts.money import ZERO, plain
from spendmeter.contracts.series import DIMENSIONS

SOURCE = "spendmeter/reservations"
NO_MODEL = "unknown"
"""Provider and sku of a call of which only the cost was stated."""
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def own_identity(tenant: str, reservation: UUID) -> bytes:
    """Of the event that books a reservation whose caller names none."""
    return identity(tenant, SOURCE, str(reservation))


def own_event(
    tenant: str,
    reservation: Reservation,
    usage: Mapping[str, Any],
    actual: Decimal | None,
    currency: str,
    now: datetime,
) -> str:
    """As JSON. Where the caller says what was used, the catalog prices it; of a cost alone there is nothing
    else to go by, and it is booked as reported."""
    details, dimensions = reservation.details, reservation.dimensions
    event = UsageEvent(
        specversion="1.0",
        type=EVENT_TYPE,
        id=str(reservation.id),
        source=SOURCE,
        subject=SOURCE,
        time=now,
        tenant=tenant,
        keyid=reservation.key_id,
        receivedat=now,
        trustreportedcost=not usage,
        data=UsageData(
            cost_class=dimensions.get("cost_class") or "model",  # type: ignore[arg-type]
            provider=dimensions.get("provider") or NO_MODEL,
            sku=dimensions.get("sku") or NO_MODEL,
            usage=dict(usage) or {"requests": 1},
            context=msgspec.convert(details.get("context", {}), Context),
            labels=_labels(dimensions, details.get("labels", {})),
            reported_cost=None if actual is None else Amount(amount=plain(actual), currency=currency),
        ),
    )
    return encode_event(event).decode()


def check_bookable(dimensions: Mapping[str, str]) -> None:
    """Raises EventError where our own event of such a call would be refused: it would be committed, and never
    booked."""
    call = Reservation(
        id=UUID(int=0), key_id="", identity=b"", stated=False, dimensions=dimensions, places=(), bound=ZERO,
        held=ZERO, state="held", created_at=_SOME_TIME, expires_at=_SOME_TIME,
    )  # fmt: skip
    event = read_event(own_event("", call, {}, ZERO, "USD", _SOME_TIME).encode())
    check_rules(event, plain=False)


def _labels(dimensions: Mapping[str, str], more: Mapping[str, str]) -> Labels:
    """Dimensions that everybody has, what else the caller said (its run), and the tenant's own."""
    stated = {**more, **dimensions}
    own = {
        name: value
        for name, value in stated.items()
        if value and name not in LABELS and name not in DIMENSIONS
    }
    return Labels(**{name: stated[name] for name in LABELS if name in stated}, own=own)
