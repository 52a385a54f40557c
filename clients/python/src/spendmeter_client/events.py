"""What a call of the application says, as the JSON that the server takes. Pure but for the clock and ids."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

EVENT_TYPE = "spendmeter.usage.v1"
ANSWER_TYPE = "spendmeter.answer.v1"
EVENT_BYTES_MAX = 256 * 1024
OF_DATA = frozenset({"cost_class", "context", "reported_cost"})
OF_ANSWER = frozenset({"model", "input_tokens", "interrupted", "sent_bytes", "sent_pieces"})
OF_EVENT = frozenset({"source", "subject"})


class Circumstances(NamedTuple):
    """What a call says beside what was used; shared by both kinds of event."""

    id: str
    source: str
    labels: Mapping[str, Any]
    time: datetime | None
    latency_ms: float | None
    outcome: str | Mapping[str, Any] | None
    more: Mapping[str, Any]


class BadCall(ValueError):
    """An argument that cannot be metered; the text names it and the rule, and never what was given."""


def new_id() -> str:
    """128 random bits, also in a forked child."""
    return os.urandom(16).hex()


def usage_event(provider: str, model: str, usage: Mapping[str, Any], around: Circumstances) -> bytes:
    """An event of `POST /api/v1/events`. Raises BadCall."""
    if None in usage.values():
        usage = {unit: quantity for unit, quantity in usage.items() if quantity is not None}
    if not usage:
        raise BadCall("usage: has no quantity")
    return _encoded(
        {"provider": _name(provider, "provider"), "sku": _name(model, "model"), "usage": usage}, around
    )


def answer_event(provider: str, said: Mapping[str, Any], around: Circumstances) -> bytes:
    """One of `POST /api/v1/usage`: what a vendor answered, to be translated there. Raises BadCall."""
    if not said:
        raise BadCall("response: says neither id, model nor usage")
    return _encoded({"provider": _name(provider, "provider"), "response": said}, around, ANSWER_TYPE)


def _encoded(data: dict[str, Any], around: Circumstances, kind: str = EVENT_TYPE) -> bytes:
    event_id, source, labels, time, latency_ms, outcome, more = around
    head = {
        "specversion": "1.0",
        "type": kind,
        "id": _name(event_id, "id"),
        "source": source,
        "subject": source,
        "time": _instant(time),
        "data": data,
    }
    if labels:
        data["labels"] = {name: _label(value) for name, value in labels.items() if value is not None}
    if latency_ms is not None:
        data["performance"] = {"latency_ms": round(latency_ms)}
    if outcome is not None:
        data["outcome"] = {"name": outcome} if isinstance(outcome, str) else outcome
    if more:
        _add(more, head, data)
    try:
        body = _encode(head).encode()
    except RecursionError:
        raise BadCall("is nested too deep") from None
    if len(body) > EVENT_BYTES_MAX:
        raise BadCall(f"has more than {EVENT_BYTES_MAX} bytes")
    return body


def _add(more: Mapping[str, Any], head: dict[str, Any], data: dict[str, Any]) -> None:
    """The rarer arguments."""
    for name, value in more.items():
        if name in OF_DATA or name in OF_ANSWER:
            data[name] = value
        elif name in OF_EVENT:
            head[name] = _name(value, name)
        elif name == "status":
            data.setdefault("performance", {})["status"] = value
        else:
            raise BadCall(f"{name:.80}: there is no such argument")
    if "source" in more and "subject" not in more:
        head["subject"] = head["source"]


def _name(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadCall(f"{name}: must be a string that is not empty")
    return value


def _label(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _instant(time: datetime | None) -> str:
    """A time without a zone is the machine's own, as everywhere in Python."""
    if time is None:
        return datetime.now(timezone.utc).isoformat()
    if not isinstance(time, datetime):
        raise BadCall("time: must be a datetime")
    return time.astimezone(timezone.utc).isoformat()


def _plain(value: Any) -> Any:
    """What JSON does not know."""
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise BadCall(f"a value of type {type(value).__name__} is no JSON")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain).encode
