"""One form of what OTLP sends, whichever of its encodings it comes in."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services.ingest.dialects.otlp_answers import encode_answer, encode_status
from services.ingest.dialects.otlp_items import (
    ITEMS_MAX,
    SentLog,
    SentPoint,
    SentSpan,
    TooManyItems,
    WireError,
)
from services.ingest.dialects.otlp_wire import JSON, PROTOBUF, read_logs, read_points, read_spans
from tests.ingest.dialects.otlp import START_NS, TRACE, in_json, logs, metrics, pairs, span, traces

VALUES = {
    "text": "gpt-4o", "whole": 2**62, "cost": 0.1, "yes": True, "no": False, "list": ["a", 1], "table": {"a": {"b": 2}},
    "bytes": b"\x00", "nothing": None,
}  # fmt: skip
READ = VALUES | {"cost": Decimal("0.1"), "bytes": None}
ENCODINGS: list[tuple[str, Callable[[Any], bytes]]] = [
    (PROTOBUF, lambda request: request.SerializeToString()),
    (JSON, in_json),
]
both = pytest.mark.parametrize(("media_type", "encoded"), ENCODINGS, ids=["protobuf", "json"])


@both
def test_a_span_is_read_from_either_encoding(media_type: str, encoded: Callable[[Any], bytes]) -> None:
    sent = traces(
        span(
            7, attributes=VALUES, status={"code": 2, "message": "a secret"}, parent_span_id=bytes(7) + b"\x06"
        ),
        span(8, trace_id=b"\x00" * 16),
    )
    resource = {"service.name": "checkout"}
    first, second = read_spans(encoded(sent), media_type)
    assert first == SentSpan(
        index=0, attributes=READ, resource=resource, scope="an.instrumentation", trace_id=TRACE,
        span_id="0000000000000007", parent_id="0000000000000006", name="chat gpt-4o", start_ns=START_NS, end_ns=START_NS + 830_000_000, failed=True,
    )  # fmt: skip
    assert (second.index, second.trace_id, second.failed, second.attributes) == (1, "", False, {})
    assert type(first.attributes["yes"]) is bool


@both
def test_only_attributes_that_are_asked_for_are_read(
    media_type: str, encoded: Callable[[Any], bytes]
) -> None:
    (found,) = read_spans(encoded(traces(span(attributes=VALUES))), media_type, {"text", "service.name"})
    assert (found.attributes, found.resource) == ({"text": "gpt-4o"}, {"service.name": "checkout"})
    (found,) = read_spans(encoded(traces(span(attributes=VALUES))), media_type, frozenset())
    assert (found.attributes, found.resource) == ({}, {})


@both
def test_a_log_record_is_read_from_either_encoding(media_type: str, encoded: Callable[[Any], bytes]) -> None:
    sent = logs(
        {
            "time_unix_nano": 5,
            "body": {"string_value": "claude_code.api_request"},
            "attributes": {"input_tokens": 5},
        },
        {"observed_time_unix_nano": 6, "event_name": "codex.sse_event", "body": {"string_value": "a secret"}},
        {"body": {"kvlist_value": {"values": pairs({"a": "secret"})}}},
        resource={"service.name": "claude-code"},
    )
    found = read_logs(encoded(sent), media_type)
    assert found[0] == SentLog(
        index=0, attributes={"input_tokens": 5}, resource={"service.name": "claude-code"}, scope="a.tool", trace_id="",
        span_id="", name="claude_code.api_request", time_ns=5,
    )  # fmt: skip
    assert [(each.index, each.name, each.time_ns) for each in found[1:]] == [
        (1, "codex.sse_event", 6),
        (2, "", 0),
    ]


@both
def test_a_data_point_is_read_from_either_encoding(media_type: str, encoded: Callable[[Any], bytes]) -> None:
    point = {"start_time_unix_nano": 3, "time_unix_nano": 4}
    sent = metrics(
        {"name": "commits", "unit": "1", "sum": {"aggregation_temporality": 1, "data_points": [
            {**point, "as_int": 2, "attributes": pairs({"type": "merge"})}, {**point, "as_double": 2.5}]}},
        {"name": "resent", "sum": {"aggregation_temporality": 2, "data_points": [{**point, "as_int": 9}]}},
        {"name": "level", "gauge": {"data_points": [{**point, "as_double": 1.5}, {**point, "flags": 1, "as_int": 1}]}},
        {"name": "sizes", "histogram": {"aggregation_temporality": 1, "data_points": [
            {**point, "count": 4}, {**point, "count": 4, "sum": 0.1}]}},
        {"name": "shares", "exponential_histogram": {"aggregation_temporality": 1, "data_points": [{**point, "sum": 3}]}},
        {"name": "empty"},
    )  # fmt: skip
    found = read_points(encoded(sent), media_type)
    assert found[0] == SentPoint(
        index=0, attributes={"type": "merge"}, resource={}, scope="a.meter", metric="commits", unit="1", value=2,
        temporality="delta", start_ns=3, end_ns=4,
    )  # fmt: skip
    assert [(each.index, each.metric, each.value, each.temporality) for each in found[1:]] == [
        (1, "commits", Decimal("2.5"), "delta"), (2, "resent", 9, "cumulative"), (3, "level", Decimal("1.5"), ""),
        (4, "level", None, ""), (5, "sizes", None, "delta"),
        (6, "sizes", Decimal("0.1"), "delta"), (7, "shares", None, ""),
    ]  # fmt: skip


@both
def test_of_metrics_that_nobody_looks_at_the_points_are_counted_and_their_attributes_not_read(
    media_type: str, encoded: Callable[[Any], bytes]
) -> None:
    points = {"aggregation_temporality": 1, "data_points": [{"as_int": n, "attributes": pairs({"n": n})} for n in (1, 2)]}  # fmt: skip
    sent = metrics(
        {"name": "tokens", "sum": points}, {"name": "commits", "sum": points}, resource={"host": "h"}
    )
    found = read_points(encoded(sent), media_type, {"commits"})
    assert [(each.index, each.metric, each.value, each.attributes) for each in found] == [
        (0, "tokens", 1, {}), (1, "tokens", 2, {}), (2, "commits", 1, {"n": 1}), (3, "commits", 2, {"n": 2}),
    ]  # fmt: skip
    assert all(each.resource == {"host": "h"} for each in found)


def test_json_may_leave_out_anything_and_say_more() -> None:
    sent = {
        "resourceSpans": [
            {"resource": None, "scopeSpans": None, "schemaUrl": "x"},
            {"scopeSpans": [{"scope": None, "spans": [
                {"later": {"deep": [1]}, "traceId": TRACE.upper(), "spanId": "EEE19B7EC3C1B174", "status": {},
                 "startTimeUnixNano": 12, "endTimeUnixNano": "13",
                 "attributes": [{"key": "n", "value": {"intValue": 12}}, {"key": "m", "value": None}, {"value": {}}]},
                {},
            ]}]},
        ],
        "later": 1,
    }  # fmt: skip
    first, second = read_spans(json.dumps(sent).encode(), JSON)
    assert (first.trace_id, first.span_id) == (TRACE, "eee19b7ec3c1b174")
    assert (first.start_ns, first.end_ns, first.attributes) == (12, 13, {"n": 12, "m": None, "": None})
    assert (second.index, second.trace_id, second.start_ns, second.scope) == (1, "", 0, "")


def test_items_are_counted_across_senders() -> None:
    sent = traces(span(1), span(2))
    sent.MergeFrom(traces(span(3), resource={"service.name": "other"}))
    for media_type, encoded in ENCODINGS:
        found = read_spans(encoded(sent), media_type)
        assert [(each.index, each.resource["service.name"]) for each in found] == [(0, "checkout"), (1, "checkout"), (2, "other")]  # fmt: skip


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (PROTOBUF, b"{}"),
        (PROTOBUF, b"\x0a"),
        (PROTOBUF, b"\x0a\x05\x12"),
        (PROTOBUF, b"\x0a\x04\x12\x02\x12\x02"),
        (PROTOBUF, b"\x0a\x06\x12\x04\x12\x02\xff\xff"),
        (PROTOBUF, b"\xff" * 11),
        (PROTOBUF, b"\x0d\x00"),
        (JSON, b""),
        (JSON, b"[]"),
        (JSON, b'{"resourceSpans": 5}'),
        (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "a secret"}]}]}]}'),
        (JSON, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\xff"}]}]}]}'),
        (JSON, b'{"a": ' + b"[" * 100_000),
    ],
)
def test_what_is_no_request_is_refused_without_quoting_it(media_type: str, body: bytes) -> None:
    with pytest.raises(WireError, match=r"^(is not|is nested too deep|a message ends early)") as error:
        read_spans(body, media_type)
    assert "secret" not in str(error.value)


EMPTY = {
    # a request of so many items or groups of nothing: two bytes each, or three
    "spans in protobuf": (PROTOBUF, lambda n: _field(1, _field(2, b"\x12\x00" * n))),
    "groups in protobuf": (PROTOBUF, lambda n: b"\x0a\x00" * n),
    "unknown fields in protobuf": (PROTOBUF, lambda n: b"\x52\x00" * n),
    "spans in JSON": (
        JSON,
        lambda n: b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}' + b",{}" * n + b"]}]}]}",
    ),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_body_of_nothings_takes_little_memory(kind: str) -> None:
    media_type, made = EMPTY[kind]
    body = made(5_000_000)
    tracemalloc.start()
    with pytest.raises(TooManyItems):
        read_spans(body, media_type)
    assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    tracemalloc.stop()


def test_as_many_spans_as_a_collector_batches_are_taken() -> None:
    body = traces(*[span(n) for n in range(1, ITEMS_MAX + 1)])
    assert len(read_spans(body.SerializeToString(), PROTOBUF, ())) == ITEMS_MAX >= 10_000
    body.MergeFrom(traces(span(1)))
    with pytest.raises(TooManyItems, match=f"at most {ITEMS_MAX} items"):
        read_spans(body.SerializeToString(), PROTOBUF, ())


@given(st.binary(max_size=200))
def test_no_bytes_make_it_crash(body: bytes) -> None:
    for media_type in (PROTOBUF, JSON):
        for read in (read_spans, read_logs, read_points):
            with suppress(WireError):
                read(body, media_type)


@given(st.data())
def test_a_request_with_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    media_type, encoded = data.draw(st.sampled_from(ENCODINGS))
    body = bytearray(encoded(traces(span(7, attributes=VALUES))))
    for at in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[at] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        read_spans(bytes(body), media_type)


def test_an_answer_says_what_was_rejected_in_the_requests_encoding() -> None:
    taken = ExportTraceServiceResponse.FromString(
        encode_answer("traces", PROTOBUF, 3, "span 0: trace_id is missing")
    )
    assert (taken.partial_success.rejected_spans, taken.partial_success.error_message) == (3, "span 0: trace_id is missing")  # fmt: skip
    logged = ExportLogsServiceResponse.FromString(encode_answer("logs", PROTOBUF, 2, "x"))
    assert logged.partial_success.rejected_log_records == 2
    measured = ExportMetricsServiceResponse.FromString(encode_answer("metrics", PROTOBUF, 1, "x"))
    assert measured.partial_success.rejected_data_points == 1
    assert json.loads(encode_answer("traces", JSON, 3, "why")) == {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "why"}}  # fmt: skip
    assert (encode_answer("traces", PROTOBUF), encode_answer("logs", JSON)) == (b"", b"{}")


@pytest.mark.parametrize(
    ("status", "code"), [(400, 3), (401, 16), (403, 7), (413, 11), (415, 3), (503, 14), (500, 2)]
)
def test_an_error_is_a_status_of_rpc(status: int, code: int) -> None:
    said = Status.FromString(encode_status(PROTOBUF, HTTPStatus(status), "send again"))
    assert (said.code, said.message) == (code, "send again")
    assert json.loads(encode_status(JSON, HTTPStatus(status), "send again")) == {
        "code": code,
        "message": "send again",
    }


def _field(number: int, message: bytes) -> bytes:
    size, varint = len(message), bytearray()
    while size > 0x7F:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(varint) + bytes([size]) + message
