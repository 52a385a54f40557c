"""Records as rating would put them on usage.rated, for the ledger's tests and benchmark."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from spendmeter.contracts.event_identity import content_hash, identity, superseded_identity
from spendmeter.contracts.events import UsageData, UsageEvent, encode_event, series_of
from spendmeter.contracts.rated import Line, Origin, RatedUsage, encode_rated
from spendmeter.contracts.series import series_id

TOPIC = "0" * 31 + "1"
RATED_TOPIC = "0" * 31 + "2"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def usage_event(
    id: str = "e1", *, tenant: str = "acme", source: str = "bot", time: datetime = NOON, **data: Any
) -> UsageEvent:
    """A usage event as it lies on the topic."""
    data.setdefault("usage", {"input_tokens": 1000, "output_tokens": 100})
    return UsageEvent(
        specversion="1.0",
        type="spendmeter.usage.v1",
        id=id,
        source=source,
        subject=f"{tenant}/app",
        tenant=tenant,
        keyid="k7f3a00000000",
        time=time,
        receivedat=time,
        data=UsageData(provider="openai", sku="gpt-4o", **data),
    )


def rated(
    event: UsageEvent,
    offset: int,
    *,
    prev: int | None = None,
    partition: int = 0,
    amount: str = "0.0035",
    status: str = "priced",
    topic: str = TOPIC,
) -> RatedUsage:
    """`event` as rating answers it; prev defaults to the offset before."""
    series = series_of(event)
    lines = [
        Line(unit=unit, entry="abcdefghijklm", price=Decimal("0.0000025"), amount=Decimal("0.00125"))
        for unit in event.data.usage
    ]
    assert isinstance(event.time, datetime)
    earlier = superseded_identity(event)
    return RatedUsage(
        origin=Origin(topic=topic, partition=partition, offset=offset),
        prev=offset - 1 if prev is None else prev,
        identity=identity(event.tenant, event.source, event.id).hex(),
        hash=content_hash(event).hex(),
        tenant=event.tenant,
        series_id=series_id(series).hex(),
        series=msgspec.Raw(msgspec.json.encode(series)),
        time=event.time,
        status=status,  # type: ignore[arg-type]
        catalog_version=1,
        currency="USD",
        list=amount,
        contracted=amount,
        effective=amount,
        usage=event.data.usage,
        event=msgspec.Raw(encode_event(event)),
        lines=msgspec.Raw(msgspec.json.encode(lines)),
        supersedes=UNSET if earlier is None else earlier.hex(),
    )


def on_topic(*records: Any, start: int = 0) -> list[tuple[int, bytes]]:
    """(offset, value) as a consumer of usage.rated gets them."""
    return [
        (start + number, record if isinstance(record, bytes) else encode_rated(record))
        for number, record in enumerate(records)
    ]
