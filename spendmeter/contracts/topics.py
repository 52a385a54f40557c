"""Every topic, declared once: who writes it, who reads it, what its key is, how long it lasts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from types import MappingProxyType

_DAY_MS = 24 * 60 * 60 * 1000
MESSAGE_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Topic:
    """`partitions` None = P, the number that all money topics share."""

    name: str
    key: str
    value: str
    producer: str
    consumers: tuple[str, ...]
    partitions: int | None
    retention_ms: int
    compacted: bool = False

    def config(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        settings = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
        if self.compacted:
            return settings | {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5"}
        return settings | {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}


USAGE_EVENTS = Topic(
    name="usage.events", key="identity, 16 bytes", value="UsageEvent",
    producer="ingest", consumers=("rating",), partitions=None, retention_ms=7 * _DAY_MS,
)  # fmt: skip
USAGE_RATED = Topic(
    name="usage.rated", key="identity, 16 bytes", value="RatedUsage | RejectedUsage | PassedHoles",
    producer="rating", consumers=("ledger",), partitions=None, retention_ms=7 * _DAY_MS,
)  # fmt: skip
CATALOG = Topic(
    name="catalog", key="immutable entry id", value="CatalogEntry | Publication",
    producer="api", consumers=("rating",), partitions=1, retention_ms=-1, compacted=True,
)  # fmt: skip
SPEND_TOTALS = Topic(
    name="spend.totals", key="tenant", value="SpendTotal",
    producer="ledger", consumers=("alerts",), partitions=None, retention_ms=2 * _DAY_MS,
)  # fmt: skip
ALERTS_EVENTS = Topic(
    name="alerts.events", key="incident id", value="IncidentEvent",
    producer="alerts", consumers=(), partitions=None, retention_ms=30 * _DAY_MS,
)  # fmt: skip

TOPICS = MappingProxyType(
    {t.name: t for t in (USAGE_EVENTS, USAGE_RATED, CATALOG, SPEND_TOTALS, ALERTS_EVENTS)}
)


def partition_of(key: bytes, partitions: int) -> int:
    """crc32(key) mod P: what librdkafka calls "consistent". Spreads load; no money depends on it."""
    return zlib.crc32(key) % partitions
