"""What a provider's answer becomes, and what that costs, short for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from services.ingest.dialects.provider_responses import SentResponses, translate_responses
from services.ingest.dialects.translated import SaidEvent, Translated
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.gate import check_rules
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook

JSON = "application/json"
JSONL = "application/jsonl"
SSE = "text/event-stream"
AT = "2026-11-20T12:00:00Z"


def translated(
    provider: str,
    body: Any,
    media_type: str = JSON,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Translated:
    """Everything that a body becomes; what is not bytes goes as JSON."""
    return translate_responses(
        SentResponses(
            provider=provider,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
            media_type=media_type,
            query=query or {},
            headers=headers or {},
            labels=labels or {},
        )
    )


def said(provider: str, body: Any, media_type: str = JSON, **more: Any) -> SaidEvent:
    """The one event that a body becomes."""
    found = translated(provider, body, media_type, **more)
    assert found.refused == []
    (event,) = found.events
    return event.said


def refusals(provider: str, body: Any, media_type: str = JSON, **more: Any) -> list[tuple[str, str]]:
    """Field and reason of all that was refused, where nothing was taken."""
    found = translated(provider, body, media_type, **more)
    assert found.events == []
    return [(bad["field"], bad["reason"]) for bad in found.refused]


def event_of(event: SaidEvent) -> UsageEvent:
    """The event as ingest reads it: through the gate."""
    raw = msgspec.json.encode({"time": AT} | event)
    read = read_event(raw)
    check_rules(read, plain=False)
    return read


def rated(event: SaidEvent, book: PriceBook) -> Rating:
    return rate(event_of(event), book)


def list_price(event: SaidEvent, book: PriceBook) -> Decimal:
    """What it costs by the shipped catalog, on AT where its answer says no time."""
    return rated(event, book).list


def sse(*events: Any, done: bool = False, named: bool = False) -> bytes:
    """Chunks as the transcript of a stream; `named`: each with its type as the event's name."""
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def jsonl(*rows: Any) -> bytes:
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows) + b"\n"
