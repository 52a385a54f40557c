"""What an OTLP request holds, as plain values: the one form of protobuf and JSON. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from msgspec import Struct

ITEMS_MAX = 20_000
"""Spans, log records or data points of one request. A Collector's batches have 8,192 unless set."""

AttributeValue = str | bool | int | Decimal | list[Any] | dict[str, Any] | None
"""A double is the Decimal of its shortest spelling, never a float; bytes are None: nothing needs them."""
Attributes = Mapping[str, AttributeValue]

Temporality = Literal["", "delta", "cumulative"]
TEMPORALITIES: dict[int, Temporality] = {1: "delta", 2: "cumulative"}
STATUS_ERROR = 2
NO_VALUE = 1
"""A bit of a point's flags. These are OTLP's own numbers, in either encoding."""


class WireError(ValueError):
    """The body is no such request: the message names the rule, and nothing that was sent."""


class TooManyItems(WireError):
    """It has more than ITEMS_MAX, or more groups of them."""


class SentBy(NamedTuple):
    """Who sent an item: the attributes of its process, and the instrumentation library's name."""

    resource: Attributes
    scope: str


class Sent(Struct, kw_only=True):
    """What every item says of itself and of who sent it."""

    index: int
    """Its place in the request, from 0."""
    attributes: Attributes
    resource: Attributes
    """Of the process that sent it; shared by its items."""
    scope: str
    """The instrumentation library's name."""


class SentSpan(Sent, kw_only=True):
    trace_id: str
    """32 hex digits, lower case; '' = none that is valid. `span_id` the same, with 16."""
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    """Since the epoch; 0 = not stated."""
    end_ns: int
    failed: bool


class SentLog(Sent, kw_only=True):
    trace_id: str
    span_id: str
    name: str
    """`event_name`, else the body where it is a text, else ''. A body may hold what people wrote: hold it
    against names that are known, and keep nothing else of it."""
    time_ns: int
    """When it happened, else when it was observed; 0 = neither is stated."""


class SentPoint(Sent, kw_only=True):
    metric: str
    unit: str
    value: int | Decimal | None
    """Of a gauge or a sum, and what the values of a histogram add up to; None = of another, or not said."""
    temporality: Temporality
    """Of a sum or a histogram; '' = it is neither."""
    start_ns: int
    end_ns: int
