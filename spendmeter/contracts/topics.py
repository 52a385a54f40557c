"""Every topic, from `topics.toml`: who writes it, who reads it in which group, its key, how long it lasts."""

import zlib
from pathlib import Path
from types import MappingProxyType

import msgspec

_DAY_MS = 24 * 60 * 60 * 1000
MESSAGE_BYTES_MAX = 1024 * 1024


class Topic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the registry says of one topic; `MESSAGE_BYTES_MAX` bounds the messages of all."""

    name: str
    key: str
    value: str
    """The contracts of its records."""
    producer: str
    consumers: tuple[str, ...]
    group: str = ""
    """The consumer group that commits how far it was read, before the installation's prefix; '' = there is
    none, and who reads it begins at its first record."""
    partitions: int | None = None
    """None = P, the number that all money topics share."""
    retention_days: int = 0
    compacted: bool = False
    """The last record of each key stays for ever."""
    kept_for_ever: bool = False
    """Every record does, also of one key: a second record is to be seen beside the first."""

    def config(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        settings = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
        if self.compacted:
            return settings | {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5"}
        if self.kept_for_ever:
            return settings | {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        return settings | {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * _DAY_MS)}


_DECLARED = msgspec.toml.decode(Path(__file__).with_name("topics.toml").read_bytes())
TOPICS = MappingProxyType(
    {name: msgspec.convert({"name": name} | fields, Topic) for name, fields in _DECLARED.items()}
)
USAGE_EVENTS = TOPICS["usage.events"]
USAGE_RATED = TOPICS["usage.rated"]
CATALOG = TOPICS["catalog"]
SPEND_TOTALS = TOPICS["spend.totals"]
ALERTS_EVENTS = TOPICS["alerts.events"]
USAGE_CORRECTIONS = TOPICS["usage.corrections"]
USAGE_OUTCOMES = TOPICS["usage.outcomes"]
LEDGER_ROOTS = TOPICS["ledger.roots"]


def partition_of(key: bytes, partitions: int) -> int:
    """crc32(key) mod P: what librdkafka calls "consistent". Spreads load; no money depends on it."""
    return zlib.crc32(key) % partitions
