"""OTLP requests in protobuf.

A request is taken apart by hand down to its items, and each item decoded alone: so a body of nothing but
empty messages, of two bytes each, takes no more memory and time than ITEMS_MAX allows.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from decimal import Decimal
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.ingest.dialects.otlp_items import (
    ITEMS_MAX,
    NO_VALUE,
    STATUS_ERROR,
    TEMPORALITIES,
    AttributeValue,
    SentBy,
    SentLog,
    SentPoint,
    SentSpan,
    TooManyItems,
    WireError,
)

FIELDS_MAX = 3 * ITEMS_MAX
_KINDS = ("sum", "gauge", "histogram", "exponential_histogram", "summary")
_GROUP, _RESOURCE, _SCOPES, _SCOPE, _ITEMS = 1, 1, 2, 1, 2
"""Field numbers, of all three requests alike: request > group (by resource) > scoped > items."""
_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}
"""How many bytes a field has, by its wire type."""
_VARINT_BYTES_MAX = 10


def spans(body: bytes, keep: Container[str] | None) -> list[SentSpan]:
    found = []
    for index, (sender, raw) in enumerate(_items(body, keep)):
        span = _decoded(Span.FromString, raw)
        found.append(
            SentSpan(
                index=index,
                attributes=_attributes(span.attributes, keep),
                resource=sender.resource,
                scope=sender.scope,
                trace_id=_hex(span.trace_id, 16),
                span_id=_hex(span.span_id, 8),
                parent_id=_hex(span.parent_span_id, 8),
                name=span.name,
                start_ns=span.start_time_unix_nano,
                end_ns=span.end_time_unix_nano,
                failed=span.status.code == STATUS_ERROR,
            )
        )
    return found


def logs(body: bytes, keep: Container[str] | None) -> list[SentLog]:
    found = []
    for index, (sender, raw) in enumerate(_items(body, keep)):
        record = _decoded(LogRecord.FromString, raw)
        found.append(
            SentLog(
                index=index,
                attributes=_attributes(record.attributes, keep),
                resource=sender.resource,
                scope=sender.scope,
                trace_id=_hex(record.trace_id, 16),
                span_id=_hex(record.span_id, 8),
                name=record.event_name or record.body.string_value,
                time_ns=record.time_unix_nano or record.observed_time_unix_nano,
            )
        )
    return found


def points(body: bytes, of: Container[str] | None) -> list[SentPoint]:
    found: list[SentPoint] = []
    for sender, raw in _items(body, None):
        metric = _decoded(Metric.FromString, raw)
        looked_at = of is None or metric.name in of
        kind = metric.WhichOneof("data")
        if kind not in _KINDS:
            continue
        data = getattr(metric, kind)
        adds_up = kind in ("sum", "histogram")
        temporality = TEMPORALITIES.get(data.aggregation_temporality, "") if adds_up else ""
        for point in data.data_points:
            if len(found) >= ITEMS_MAX:
                raise TooManyItems(f"a request may have at most {ITEMS_MAX} data points")
            found.append(
                SentPoint(
                    index=len(found),
                    attributes=_attributes(point.attributes, None) if looked_at else {},
                    resource=sender.resource,
                    scope=sender.scope,
                    metric=metric.name,
                    unit=metric.unit,
                    value=_number(point, kind) if adds_up or kind == "gauge" else None,
                    temporality=temporality,
                    start_ns=point.start_time_unix_nano,
                    end_ns=point.time_unix_nano,
                )
            )
    return found


def _items(body: bytes, keep: Container[str] | None) -> Iterator[tuple[SentBy, bytes]]:
    """Every item undecoded, and who sent it; no more than ITEMS_MAX of them."""
    walk = _Walk()
    count = 0
    for group in walk.parts(body, _GROUP, _GROUP)[0]:
        resources, scopes = walk.parts(group, _RESOURCE, _SCOPES)
        resource: dict[str, AttributeValue] = {}
        for raw in resources:
            resource |= _attributes(_decoded(Resource.FromString, raw).attributes, keep)
        for scoped in scopes:
            described, items = walk.parts(scoped, _SCOPE, _ITEMS)
            names = [_decoded(InstrumentationScope.FromString, raw).name for raw in described]
            sender = SentBy(resource, names[-1] if names else "")
            count += len(items)
            if count > ITEMS_MAX:
                raise TooManyItems(f"a request may have at most {ITEMS_MAX} items")
            for raw in items:
                yield sender, raw


class _Walk:
    """Takes messages apart, and goes over no more than FIELDS_MAX fields in all."""

    def __init__(self) -> None:
        self._left = FIELDS_MAX

    def parts(self, message: bytes, first: int, second: int) -> tuple[list[bytes], list[bytes]]:
        """The messages in the fields with these two numbers, in their order. Raises WireError."""
        found: tuple[list[bytes], list[bytes]] = ([], [])
        at, end = 0, len(message)
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise TooManyItems(f"a request may have at most {FIELDS_MAX} items and groups of items")
            tag, at = _varint(message, at)
            kind, number = tag & 7, tag >> 3
            if kind == _LENGTH_DELIMITED:
                size, at = _varint(message, at)
                if number in (first, second):
                    found[number != first].append(message[at : at + size])
                at += size
            elif kind in _FIXED:
                at += _FIXED[kind]
            elif kind == 0:
                _, at = _varint(message, at)
            else:
                raise WireError("is not protobuf")
        if at != end:
            raise WireError("a message ends early")
        return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    number = 0
    try:
        for shift in range(_VARINT_BYTES_MAX):
            byte = message[at + shift]
            number |= (byte & 0x7F) << 7 * shift
            if byte < 0x80:
                return number, at + shift + 1
    except IndexError:
        raise WireError("a message ends early") from None
    raise WireError("is not protobuf")


def _decoded(decode: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return decode(raw)
    except DecodeError:
        raise WireError("is not protobuf of an OTLP request") from None


def _attributes(pairs: Iterable[KeyValue], keep: Container[str] | None) -> dict[str, AttributeValue]:
    if keep is None:
        return {pair.key: _value(pair.value) for pair in pairs}
    return {key: _value(pair.value) for pair in pairs if (key := pair.key) in keep}


def _value(value: AnyValue) -> AttributeValue:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "double_value":
        return Decimal(repr(value.double_value))
    if kind == "bool_value":
        return value.bool_value
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return None


def _number(point: Any, kind: str) -> int | Decimal | None:
    if point.flags & NO_VALUE:
        return None
    field = point.WhichOneof("value") if kind != "histogram" else "sum" if point.HasField("sum") else None
    number: int | float | None = getattr(point, field) if field else None
    return Decimal(repr(number)) if isinstance(number, float) else number


def _hex(raw: bytes, size: int) -> str:
    return raw.hex() if len(raw) == size and any(raw) else ""
