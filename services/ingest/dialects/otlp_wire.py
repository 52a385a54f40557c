"""Reads OTLP's three requests, whichever of its two encodings they come in, to one form. Pure.

    for span in read_spans(body, PROTOBUF, keep={"gen_ai.request.model", ...}): ...

`keep` names the attributes that anybody will look at; every other one is never even decoded (None = all).
Unknown fields are ignored, as OTLP wants it. Each raises WireError for what is no such request.
"""

from collections.abc import Container

from services.ingest.dialects import otlp_json, otlp_protobuf
from services.ingest.dialects.otlp_items import SentLog, SentPoint, SentSpan

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
ENCODINGS = frozenset({PROTOBUF, JSON})


def read_spans(body: bytes, media_type: str, keep: Container[str] | None = None) -> list[SentSpan]:
    """Of an ExportTraceServiceRequest."""
    return otlp_json.spans(body, keep) if media_type == JSON else otlp_protobuf.spans(body, keep)


def read_logs(body: bytes, media_type: str, keep: Container[str] | None = None) -> list[SentLog]:
    """Of an ExportLogsServiceRequest."""
    return otlp_json.logs(body, keep) if media_type == JSON else otlp_protobuf.logs(body, keep)


def read_points(body: bytes, media_type: str, of: Container[str] | None = None) -> list[SentPoint]:
    """Of an ExportMetricsServiceRequest; a metric's description and exemplars are not read. `of` names the
    metrics whose points' attributes anybody will look at (None = all)."""
    return otlp_json.points(body, of) if media_type == JSON else otlp_protobuf.points(body, of)
