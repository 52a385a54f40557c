"""Names of attributes by what they mean, of all instrumentations: otel_usage.toml. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

AttributeNames = tuple[str, ...]
"""Of several names of one thing the first that is present counts."""


class UsageNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quantities."""

    input: AttributeNames
    output: AttributeNames
    cache_read: AttributeNames
    cache_read_audio: AttributeNames
    cache_read_image: AttributeNames
    cache_write: AttributeNames
    cache_write_1h: AttributeNames
    input_audio: AttributeNames
    input_image: AttributeNames
    input_video: AttributeNames
    output_audio: AttributeNames
    output_image: AttributeNames
    reasoning: AttributeNames
    searches: AttributeNames
    beside_input: AttributeNames
    beside_output: AttributeNames


class CallNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was called, and how."""

    provider: AttributeNames
    model: AttributeNames
    operation: AttributeNames
    span_kind: AttributeNames
    response_id: AttributeNames
    answer: AttributeNames
    pending: AttributeNames
    stream: AttributeNames
    finish: AttributeNames
    output_max: AttributeNames
    service_tier: AttributeNames
    region: AttributeNames
    batch: AttributeNames
    outcome: AttributeNames


class ReportedNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it cost, as the sender knows it."""

    amount: AttributeNames
    currency: AttributeNames


class SpanValues(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Operations and kinds of spans, in small letters."""

    calls: frozenset[str]
    repeats: frozenset[str]
    vague: frozenset[str]
    pending: frozenset[str]
    provider_endings: AttributeNames


class AgentNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A coding agent: the names of its services, and what its spans are called that are calls."""

    services: frozenset[str]
    calls: frozenset[str]


class KnownNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What looks like usage and says nothing more."""

    names: frozenset[str]
    beginnings: AttributeNames


class OtelNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    usage: UsageNames
    call: CallNames
    reported: ReportedNames
    labels: dict[str, AttributeNames]
    spans: SpanValues
    agents: dict[str, AgentNames]
    known: KnownNames

    def attributes(self) -> frozenset[str]:
        """Every attribute that is ever looked at."""
        found: set[str] = set()
        for table in (self.usage, self.call, self.reported):
            for names in msgspec.structs.astuple(table):
                found.update(names)
        return frozenset(found.union(*self.labels.values()))


OTEL = msgspec.toml.decode(Path(__file__).with_name("otel_usage.toml").read_bytes(), type=OtelNames)


def first_stated(attributes: Mapping[str, Any], names: AttributeNames) -> Any:
    """What the first of these names says that says anything; None = none does."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None
