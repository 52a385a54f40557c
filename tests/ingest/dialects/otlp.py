"""OTLP requests for tests: built in protobuf, and the same in OTLP's JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

TRACE = "5b8efff798038103d269b633813fc60c"
START_NS = 1_795_687_200_000_000_000  # 2026-11-26T10:00:00Z
_IDS = ("traceId", "spanId", "parentSpanId")


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value={"values": [any_value(each) for each in value]})
        case dict():
            return AnyValue(kvlist_value={"values": pairs(value)})
        case _:
            return AnyValue(string_value=value)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(id: int = 1, *, ms: int = 830, **fields: Any) -> dict[str, Any]:
    """The fields of a Span; `attributes` as a plain dict."""
    made = {
        "trace_id": bytes.fromhex(TRACE), "span_id": id.to_bytes(8, "big"), "name": "chat gpt-4o", "kind": 3,
        "start_time_unix_nano": START_NS, "end_time_unix_nano": START_NS + ms * 1_000_000,
    } | fields  # fmt: skip
    return made | {"attributes": pairs(made.get("attributes", {}))}


def traces(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest(
        resource_spans=[
            {
                "resource": {"attributes": pairs({"service.name": "checkout"} | (resource or {}))},
                "scope_spans": [{"scope": {"name": "an.instrumentation"}, "spans": list(spans)}],
            }
        ]
    )


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    made = [each | {"attributes": pairs(each.get("attributes", {}))} for each in records]
    return ExportLogsServiceRequest(
        resource_logs=[
            {
                "resource": {"attributes": pairs(resource or {})},
                "scope_logs": [{"scope": {"name": "a.tool"}, "log_records": made}],
            }
        ]
    )


def metrics(*found: dict[str, Any], resource: dict[str, Any] | None = None) -> ExportMetricsServiceRequest:
    """Of metrics as protobuf takes them."""
    return ExportMetricsServiceRequest(
        resource_metrics=[
            {
                "resource": {"attributes": pairs(resource or {})},
                "scope_metrics": [{"scope": {"name": "a.meter"}, "metrics": list(found)}],
            }
        ]
    )


def in_json(request: Message) -> bytes:
    """The request in OTLP's JSON: protobuf's own but for ids, which are in hex, and enums, which are numbers."""
    return json.dumps(_hex_ids(MessageToDict(request, use_integers_for_enums=True))).encode()


def _hex_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_hex_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64decode(each).hex() if name in _IDS else _hex_ids(each) for name, each in value.items()
    }
