"""Names of attributes by what they mean, of all instrumentations: otel_usage.toml. Pure."""

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
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
    cache_write_5m: AttributeNames
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


class CountingNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tells whether a part lies inside the total that is stated, or beside it."""

    fresh: AttributeNames
    """Input without what is cached."""
    total: AttributeNames
    """Input and output, as the sender adds them up."""
    thinking: AttributeNames
    """What names of models have in them whose thoughts a total has beside input and output."""
    vendors: AttributeNames
    """What names of providers and models have in them whose vendors count what is cached beside the input."""
    scopes: AttributeNames
    """Libraries that hand on what those count, and all whose names begin so before a dot."""
    marks: AttributeNames
    """Attributes of senders that do, and of nobody else."""
    unsure: frozenset[str]
    """Names of what is cached, of senders of either kind."""


class CallNames(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was called, and how."""

    provider: AttributeNames
    model: AttributeNames
    operation: AttributeNames
    span_kind: AttributeNames
    response_id: AttributeNames
    answer: AttributeNames
    pending: AttributeNames
    from_cache: AttributeNames
    unread: AttributeNames
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
    counting: CountingNames
    texts: AttributeNames
    """Attributes that hold tables as texts. What a table says is called by its path: attribute.key.key"""
    call: CallNames
    reported: ReportedNames
    labels: dict[str, AttributeNames]
    spans: SpanValues
    agents: dict[str, AgentNames]
    known: KnownNames

    def attributes(self) -> frozenset[str]:
        """Every attribute that is ever looked at."""
        found: set[str] = set(self.texts)
        for table in (self.usage, self.call, self.reported):
            for names in msgspec.structs.astuple(table):
                found.update(names)
        found.update(self.counting.fresh, self.counting.total)
        return frozenset(found.union(*self.labels.values()))


OTEL = msgspec.toml.decode(Path(__file__).with_name("otel_usage.toml").read_bytes(), type=OtelNames)


SCOPE = "otel.scope.name"
"""What OpenTelemetry calls the library's name where it stands among attributes."""


def first_stated(attributes: Mapping[str, Any], names: AttributeNames) -> Any:
    """What the first of these names says that says anything; None = none does. A NaN says nothing: senders in
    JavaScript write it of what was not said."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "" and (type(value) is not Decimal or not value.is_nan()):
            return value
    return None


def opened(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes, with the counts that stand in texts: in tables of which anybody looks at a part, and in
    digits, as Micrometer writes every number."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        if type(value) is not str:
            continue
        if name in _COUNTS and _DIGITS.fullmatch(value):
            found[name] = int(value)
        elif name in _PATHS:
            table = _table(value)
            said = {".".join((name, *path)): _at(table, path) for path in _PATHS[name]}
            found |= {key: part for key, part in said.items() if _can_be(key, part)}
    return {**attributes, **found} if found else attributes


def _can_be(name: str, part: Any) -> bool:
    """Whether a part of a table is what its name says: no call is refused for what stands beside it."""
    return part >= 0 if type(part) is int else type(part) is str and name not in _COUNTS


def _table(text: str) -> Any:
    """Of JSON, or as Python prints a table of numbers; anything else is none."""
    for spelled in (text, _OF_PYTHON.sub(lambda found: _IN_JSON[found[0]], text)):
        try:
            return msgspec.json.decode(spelled)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _at(table: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def _paths() -> Mapping[str, list[tuple[str, ...]]]:
    found: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for name in OTEL.attributes():
        for text in OTEL.texts:
            if name.startswith(f"{text}."):
                found[text].append(tuple(name.removeprefix(f"{text}.").split(".")))
    return found


_PATHS = _paths()
_COUNTS = frozenset().union(
    *(getattr(OTEL.usage, meaning) for meaning in OTEL.usage.__struct_fields__),
    OTEL.counting.fresh,
    OTEL.counting.total,
    OTEL.call.output_max,
)
_IN_JSON = {"'": '"', "None": "null", "True": "true", "False": "false"}
_OF_PYTHON = re.compile("|".join(_IN_JSON))
_DIGITS = re.compile("[0-9]{1,18}")
