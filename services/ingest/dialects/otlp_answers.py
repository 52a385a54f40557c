"""What OTLP's three endpoints answer, in the encoding of the request. Pure."""

from http import HTTPStatus
from typing import Literal

import msgspec
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services.ingest.dialects.otlp_wire import JSON

Signal = Literal["traces", "logs", "metrics"]

REJECTED: dict[Signal, tuple[str, str]] = {
    "traces": ("rejected_spans", "rejectedSpans"),
    "logs": ("rejected_log_records", "rejectedLogRecords"),
    "metrics": ("rejected_data_points", "rejectedDataPoints"),
}
"""How the number of what was rejected is called, in protobuf and in JSON."""
_ANSWERS: dict[Signal, type[Message]] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
_CODES = {
    HTTPStatus.BAD_REQUEST: 3,  # INVALID_ARGUMENT
    HTTPStatus.UNAUTHORIZED: 16,  # UNAUTHENTICATED
    HTTPStatus.FORBIDDEN: 7,  # PERMISSION_DENIED
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: 11,  # OUT_OF_RANGE
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: 3,
    HTTPStatus.SERVICE_UNAVAILABLE: 14,  # UNAVAILABLE
}
_UNKNOWN = 2


def encode_answer(signal: Signal, media_type: str, rejected: int = 0, message: str = "") -> bytes:
    """That the request was taken; `rejected` items of it were not, or `message` is a remark on what was."""
    in_protobuf, in_json = REJECTED[signal]
    if not rejected and not message:
        return b"{}" if media_type == JSON else b""
    if media_type == JSON:
        said = {in_json: str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": said})
    partial = {in_protobuf: rejected, "error_message": message}
    return bytes(_ANSWERS[signal](partial_success=partial).SerializeToString())


def encode_status(media_type: str, status: HTTPStatus, message: str) -> bytes:
    """That nothing of it was: a google.rpc.Status."""
    code = _CODES.get(status, _UNKNOWN)
    if media_type == JSON:
        return msgspec.json.encode({"code": code, "message": message})
    return bytes(Status(code=code, message=message).SerializeToString())
