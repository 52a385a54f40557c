"""Reads a usage event as the design document states it: own decoding, own identity, own idea of sameness."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

LABELS = ("team", "project", "feature", "workflow", "workflow_version", "agent", "environment")
QUANTITY_LIMIT = 2**63
NORMAL_FORM_C_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Earlier labels stayed as they were sent."""
_WRITTEN = re.compile(r"[0-9]{1,18}(\.[0-9]{1,12})?", re.ASCII)


class Unreadable(ValueError):
    """The bytes are no usage event; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one event says."""

    tenant: str
    source: str
    id: str
    provider: str
    sku: str
    time: datetime
    usage: dict[str, Decimal]
    dimensions: tuple[str, ...]
    """In the order of the table `series`."""
    body: dict[str, Any]

    @property
    def plain_terms(self) -> bool:
        """Whether it was served on the terms that a table of plain list prices states."""
        context = self.body["data"].get("context") or {}
        special = context.get("region") or context.get("batch")
        return context.get("service_tier", "standard") == "standard" and not special

    @property
    def reported(self) -> Mapping[str, str] | None:
        """What its sender, whose word counts, says that it cost: {amount, currency}."""
        cost: Mapping[str, str] | None = self.body["data"].get("reported_cost")
        return cost if self.body.get("trustreportedcost") else None

    @property
    def hour(self) -> datetime:
        return self.time.replace(minute=0, second=0, microsecond=0)

    def __str__(self) -> str:
        return f"{self.tenant} {self.source}/{self.id}"


def decode(raw: bytes | str) -> Any:
    """JSON without floats: every number with a point is a Decimal. Raises Unreadable."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise Unreadable(f"is not JSON: {error}") from None


def read(raw: bytes | str | None) -> Usage:
    """The event in `raw`. Raises Unreadable."""
    body = decode(raw or b"")
    try:
        data = body["data"]
        labels = _labels(body)
        usage = {unit: quantity(value) for unit, value in data["usage"].items()}
        event = Usage(
            tenant=_name(body["tenant"]),
            source=_name(body["source"]),
            id=_name(body["id"]),
            provider=_name(data["provider"]),
            sku=_name(data["sku"]),
            time=datetime.fromisoformat(body["time"]).astimezone(UTC),
            usage=usage,
            dimensions=(
                data.get("cost_class", "model"),
                data["provider"],
                data["sku"],
                *(labels.get(label, "") for label in LABELS),
                body.get("keyid", ""),
            ),
            body=body,
        )
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise Unreadable(f"is no usage event: {type(error).__name__} {error}") from None
    if not usage:
        raise Unreadable("names no usage")
    return event


def _labels(body: Mapping[str, Any]) -> dict[str, str]:
    """The labels, in Unicode's normal form C for what was received since that is the rule."""
    labels: dict[str, str] = body["data"].get("labels") or {}
    received = body.get("receivedat")
    if received is not None and datetime.fromisoformat(received) < NORMAL_FORM_C_FROM:
        return labels
    return {name: unicodedata.normalize("NFC", label) for name, label in labels.items()}


def quantity(value: object) -> Decimal:
    """A quantity of at least 0 and below 2^63. Raises ValueError."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not 0 <= value < QUANTITY_LIMIT:
        raise ValueError(f"{value!r:.40} is no quantity")
    return value


def identity(tenant: str, source: str, id: str) -> bytes:
    """BLAKE2b-128 over the three, each preceded by its length in UTF-8 as four bytes."""
    parts = b"".join(
        len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in (tenant, source, id))
    )
    return blake2b(parts, digest_size=16).digest()


def content_digest(event: Usage) -> bytes:
    """Equal for two copies that say the same: without times, key, trace, user label and unknown fields."""
    body, data = event.body, event.body["data"]
    labels, context = _labels(body), data.get("context") or {}
    performance, outcome = data.get("performance") or {}, data.get("outcome")
    said = [
        body.get("type"), body.get("subject"), event.tenant, event.source, event.id,
        body.get("trustreportedcost", False), data.get("cost_class", "model"), event.provider, event.sku,
        _quantities(event.usage), {name: labels.get(name, "") for name in (*LABELS, "run")},
        context.get("service_tier", "standard"), context.get("region", ""), context.get("batch", False),
        performance.get("latency_ms"), performance.get("status", ""),
        outcome and [outcome.get("name"), outcome.get("count", 1), _amount(outcome.get("value"))],
        _amount(data.get("reported_cost")),
    ]  # fmt: skip
    return _digest(said)


def metered_digest(provider: str, sku: str, usage: Mapping[str, Decimal], labels: Mapping[str, str]) -> bytes:
    """Equal for a submission and its event: what was used and whose it is (the user label, which ingest
    replaces, left out)."""
    said = {k: unicodedata.normalize("NFC", v) for k, v in labels.items() if v and k != "user"}
    return _digest([provider, sku, _quantities(usage), said])


def _digest(said: object) -> bytes:
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).digest()


def _quantities(usage: Mapping[str, Decimal]) -> dict[str, str]:
    return {unit: _plain(value) for unit, value in usage.items()}


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(value: Mapping[str, str] | None) -> list[str] | None:
    return None if value is None else [_plain(Decimal(value["amount"])), value["currency"]]


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name is missing")
    value.encode()  # a lone surrogate is no text
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
