"""Lago's usage events: one as `event`, many as `events`; what they mean, the meter of their `code` says.

Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from services.ingest.dialects.metered import ForeignEvent
from services.ingest.dialects.stated import Unusable, text_of

SOURCE = "lago"
"""Lago's events name no source: a transaction's id is unique within the organisation."""


class _Body(Struct, frozen=True, gc=False):
    event: Raw | UnsetType = UNSET
    events: list[Raw] | UnsetType = UNSET


class LagoEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One as it is sent."""

    transaction_id: Any = None
    external_subscription_id: Any = None
    code: Any = None
    timestamp: Any = None
    properties: Any = None


_decode_body: Callable[[bytes], _Body] = msgspec.json.Decoder(_Body).decode
_decode_event: Callable[[bytes | Raw], LagoEvent] = msgspec.json.Decoder(LagoEvent, float_hook=Decimal).decode


def lago_events(body: bytes) -> tuple[list[Raw], bool] | None:
    """The events of a body of Lago's, and whether they are many; None where it is none."""
    if body.lstrip()[:1] != b"{":
        return None
    try:
        said = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if said.events is not UNSET:
        return said.events, True
    return None if said.event is UNSET else ([said.event], False)


def read_lago(raw: Raw) -> LagoEvent:
    """Raises Unusable for what is no JSON object."""
    try:
        return _decode_event(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
        raise Unusable("event", "is no JSON object that can be read") from None


def event_of_lago(said: LagoEvent) -> ForeignEvent:
    """Raises Unusable where it lacks what Lago requires."""
    for name in ("transaction_id", "external_subscription_id", "code"):
        if not text_of(getattr(said, name)):
            raise Unusable(name, "value_is_mandatory")
    if not isinstance(said.properties, Mapping | None):
        raise Unusable("properties", "must be a JSON object")
    return ForeignEvent(
        id=said.transaction_id,
        source=SOURCE,
        type=said.code,
        subject=said.external_subscription_id,
        time=happened_at(said.timestamp),
        data=said.properties or {},
        at="properties",
        type_at="code",
    )


def happened_at(timestamp: object) -> datetime | None:
    """Of seconds since 1970, also in a text and with a fraction, or of a date and time; None = now. Raises
    Unusable."""
    if timestamp is None or timestamp == "":
        return None
    if isinstance(timestamp, str) and not timestamp.replace(".", "", 1).isdecimal():
        try:
            at = datetime.fromisoformat(timestamp)
        except ValueError:
            raise Unusable("timestamp", "invalid_format") from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | Decimal | str):
        raise Unusable("timestamp", "invalid_format")
    try:
        return datetime.fromtimestamp(float(timestamp), UTC)
    except (OverflowError, OSError, ValueError):
        raise Unusable("timestamp", "invalid_format") from None
