"""Requests of spans in protobuf, as an exporter of OpenTelemetry's own instrumentation sends them."""

from __future__ import annotations

import time
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

MODELS = (("openai", "gpt-4o-2024-08-06"), ("anthropic", "claude-sonnet-4-5-20250929"))


def otlp_requests(count: int, spans: int, seed: int = 1) -> list[bytes]:
    """So many bodies of so many spans: chat calls, and 2 of 100 an agent's span around them."""
    random = Random(seed)
    return [_request(random, spans) for _ in range(count)]


def _request(random: Random, spans: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for name, value in (
        ("service.name", "checkout"),
        ("deployment.environment.name", "prod"),
        ("team", "search"),
        ("telemetry.sdk.language", "python"),
    ):
        _attribute(resource.resource.attributes, name, value)
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for _ in range(spans):
        _span(random, scope.spans.add())
    return request.SerializeToString()


def _span(random: Random, span: Span) -> None:
    provider, model = random.choice(MODELS)
    agent = random.random() < 0.02
    span.trace_id, span.span_id = random.randbytes(16), random.randbytes(8)
    span.name = "invoke_agent triage" if agent else f"chat {model}"
    span.kind = Span.SPAN_KIND_CLIENT
    span.start_time_unix_nano = time.time_ns() - 5_000_000_000
    span.end_time_unix_nano = span.start_time_unix_nano + random.randrange(10**8, 5 * 10**9)
    fresh = random.randrange(100, 5_000)
    for name, value in (
        ("gen_ai.operation.name", "invoke_agent" if agent else "chat"),
        ("gen_ai.provider.name", provider),
        ("gen_ai.request.model", model.rsplit("-", 3)[0]),
        ("gen_ai.response.model", model),
        ("gen_ai.response.id", f"resp_{random.getrandbits(160):040x}"),
        ("gen_ai.usage.input_tokens", fresh * 3),
        ("gen_ai.usage.cache_read.input_tokens", fresh * 2),
        ("gen_ai.usage.output_tokens", random.randrange(10, 900)),
        ("gen_ai.request.temperature", 0.2),
        ("gen_ai.response.finish_reasons", "stop"),
        ("server.address", "api.openai.com"),
        ("server.port", 443),
    ):
        _attribute(span.attributes, name, value)


def _attribute(attributes: object, name: str, value: str | int | float) -> None:
    attribute = attributes.add()  # type: ignore[attr-defined]  # a repeated field
    attribute.key = name
    match value:
        case str():
            attribute.value.string_value = value
        case int():
            attribute.value.int_value = value
        case _:
            attribute.value.double_value = value
