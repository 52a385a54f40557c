"""OTLP requests in JSON: ids in hex, 64-bit numbers as texts (or numbers), enums as numbers, camelCase.

An item, and the value of an attribute, is decoded only when somebody asks for it.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Raw, Struct

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

COMMAS_MAX = 3_000_000
"""An array of a million nothings is short, and large in memory; it has a million commas."""


NOTHING = Raw(b"null")


class _Camel(Struct, rename="camel", gc=False):
    """Null stands for what is not stated, in any field."""


class _Pair(_Camel):
    key: str = ""
    value: Raw = NOTHING


class _Values(_Camel):
    values: list[Raw] | None = None


class _Pairs(_Camel):
    values: list[_Pair] | None = None


class _AnyValue(_Camel):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: Decimal | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None


class _Resource(_Camel):
    attributes: list[_Pair] | None = None


class _Scope(_Camel):
    name: str | None = None


class _Scoped(_Camel):
    scope: _Scope | None = None
    spans: list[Raw] | None = None
    log_records: list[Raw] | None = None
    metrics: list[Raw] | None = None


class _Group(_Camel):
    resource: _Resource | None = None
    scope_spans: list[_Scoped] | None = None
    scope_logs: list[_Scoped] | None = None
    scope_metrics: list[_Scoped] | None = None


class _Request(_Camel):
    resource_spans: list[_Group] | None = None
    resource_logs: list[_Group] | None = None
    resource_metrics: list[_Group] | None = None


class _Status(_Camel):
    code: int | None = None


class _Span(_Camel):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: int | None = None
    end_time_unix_nano: int | None = None
    attributes: list[_Pair] | None = None
    status: _Status | None = None


class _LogRecord(_Camel):
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None
    body: Raw = NOTHING
    time_unix_nano: int | None = None
    observed_time_unix_nano: int | None = None
    attributes: list[_Pair] | None = None


class _Point(_Camel):
    attributes: list[_Pair] | None = None
    start_time_unix_nano: int | None = None
    time_unix_nano: int | None = None
    as_int: int | None = None
    as_double: Decimal | None = None
    sum: Decimal | None = None
    flags: int | None = None


class _MetricData(_Camel):
    data_points: list[Raw] | None = None
    aggregation_temporality: int | None = None


class _Metric(_Camel):
    name: str | None = None
    unit: str | None = None
    sum: _MetricData | None = None
    gauge: _MetricData | None = None
    histogram: _MetricData | None = None
    exponential_histogram: _MetricData | None = None
    summary: _MetricData | None = None


def _decoder(kind: Any) -> Callable[[bytes | Raw], Any]:
    decode = msgspec.json.Decoder(kind, strict=False).decode  # lax: 64-bit numbers are texts here

    def decoded(raw: bytes | Raw) -> Any:
        try:
            return decode(raw)
        except RecursionError:
            raise WireError("is nested too deep") from None
        except msgspec.ValidationError:
            raise WireError("is not JSON of an OTLP request") from None
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation, ValueError):
            raise WireError("is not JSON") from None

    return decoded


_decode_request = _decoder(_Request)
_decode_span = _decoder(_Span)
_decode_log = _decoder(_LogRecord)
_decode_metric = _decoder(_Metric)
_decode_point = _decoder(_Point)
_decode_value = _decoder(_AnyValue | None)


def spans(body: bytes, keep: Container[str] | None) -> list[SentSpan]:
    found = []
    for index, (sender, raw) in enumerate(_items(body, "resource_spans", "scope_spans", "spans", keep)):
        span: _Span = _decode_span(raw)
        found.append(
            SentSpan(
                index=index,
                attributes=_attributes(span.attributes, keep),
                resource=sender.resource,
                scope=sender.scope,
                trace_id=_hex(span.trace_id, 16),
                span_id=_hex(span.span_id, 8),
                parent_id=_hex(span.parent_span_id, 8),
                name=span.name or "",
                start_ns=span.start_time_unix_nano or 0,
                end_ns=span.end_time_unix_nano or 0,
                failed=span.status is not None and span.status.code == STATUS_ERROR,
            )
        )
    return found


def logs(body: bytes, keep: Container[str] | None) -> list[SentLog]:
    found = []
    for index, (sender, raw) in enumerate(_items(body, "resource_logs", "scope_logs", "log_records", keep)):
        record: _LogRecord = _decode_log(raw)
        said = "" if record.event_name else _value(record.body)
        found.append(
            SentLog(
                index=index,
                attributes=_attributes(record.attributes, keep),
                resource=sender.resource,
                scope=sender.scope,
                trace_id=_hex(record.trace_id, 16),
                span_id=_hex(record.span_id, 8),
                name=record.event_name or (said if isinstance(said, str) else ""),
                time_ns=record.time_unix_nano or record.observed_time_unix_nano or 0,
            )
        )
    return found


def points(body: bytes, of: Container[str] | None) -> list[SentPoint]:
    found: list[SentPoint] = []
    for sender, raw in _items(body, "resource_metrics", "scope_metrics", "metrics", None):
        metric: _Metric = _decode_metric(raw)
        looked_at = of is None or metric.name in of
        added_up = metric.sum or metric.histogram
        data = added_up or metric.gauge or metric.exponential_histogram or metric.summary
        for each in (data and data.data_points) or ():
            if len(found) >= ITEMS_MAX:
                raise TooManyItems(f"a request may have at most {ITEMS_MAX} data points")
            point: _Point = _decode_point(each)
            found.append(
                SentPoint(
                    index=len(found),
                    attributes=_attributes(point.attributes, None) if looked_at else {},
                    resource=sender.resource,
                    scope=sender.scope,
                    metric=metric.name or "",
                    unit=metric.unit or "",
                    value=_number(point) if added_up or metric.gauge else None,
                    temporality=TEMPORALITIES.get(added_up.aggregation_temporality or 0, "")
                    if added_up
                    else "",
                    start_ns=point.start_time_unix_nano or 0,
                    end_ns=point.time_unix_nano or 0,
                )
            )
    return found


def _items(
    body: bytes, groups: str, scoped: str, items: str, keep: Container[str] | None
) -> Iterator[tuple[SentBy, Raw]]:
    """Every item undecoded, and who sent it; no more than ITEMS_MAX. The names are those of fields."""
    if body.count(b",") > COMMAS_MAX:
        raise TooManyItems(f"a request in JSON may have at most {COMMAS_MAX} commas; send smaller ones")
    count = 0
    for group in getattr(_decode_request(body), groups) or ():
        resource = _attributes(group.resource and group.resource.attributes, keep)
        for each in getattr(group, scoped) or ():
            sender = SentBy(resource, (each.scope and each.scope.name) or "")
            for raw in getattr(each, items) or ():
                count += 1
                if count > ITEMS_MAX:
                    raise TooManyItems(f"a request may have at most {ITEMS_MAX} items")
                yield sender, raw


def _attributes(pairs: Sequence[_Pair] | None, keep: Container[str] | None) -> dict[str, AttributeValue]:
    return {pair.key: _value(pair.value) for pair in pairs or () if keep is None or pair.key in keep}


def _value(raw: Raw) -> AttributeValue:
    said: _AnyValue | None = _decode_value(raw)
    if said is None:
        return None
    for scalar in (said.string_value, said.int_value, said.double_value, said.bool_value):
        if scalar is not None:
            return scalar
    if said.array_value is not None:
        return [_value(each) for each in said.array_value.values or ()]
    if said.kvlist_value is not None:
        return {pair.key: _value(pair.value) for pair in said.kvlist_value.values or ()}
    return None


def _number(point: _Point) -> int | Decimal | None:
    if (point.flags or 0) & NO_VALUE:
        return None
    return next((each for each in (point.as_int, point.as_double, point.sum) if each is not None), None)


def _hex(said: str | None, size: int) -> str:
    try:
        raw = bytes.fromhex(said or "")
    except ValueError:
        return ""
    return raw.hex() if len(raw) == size and any(raw) else ""
