"""What is fuzzed: each dialect with the entrance that reads it, and good requests to begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.ingest.client_entrance import CLIENT_CALLS
from services.ingest.dialects.otlp_spans import ATTRIBUTES as SPAN_ATTRIBUTES
from services.ingest.dialects.providers.answer import NAMES as ANSWER_NAMES
from services.ingest.entrances import Entrance
from services.ingest.gateway_entrances import GATEWAYS, LAGO_BATCH, LITELLM
from services.ingest.otlp_logs_entrance import OTLP_LOGS
from services.ingest.otlp_metrics_entrance import OTLP_METRICS
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.own_events import OWN_EVENTS
from services.ingest.provider_entrance import PROVIDER_RESPONSES
from spendmeter import contracts
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from tests.charges import charge_body
from tests.ingest.dialects import otlp
from tests.ingest.dialects.agents import (
    CLAUDE_RESOURCE,
    CODEX_RESOURCE,
    GEMINI_RESOURCE,
    api_request,
    api_response,
    sse_event,
)
from tests.ingest.dialects.test_client_calls import GOOD as A_CALL
from tests.ingest.dialects.test_litellm import payload
from tests.ingest.dialects.test_metered import KONG, cloud_event
from tests.ingest.dialects.test_metered import LITELLM as LITELLM_EVENT
from tests.ingest.dialects.test_otlp_metrics import DELTA, counted
from tests.ingest.dialects.test_provider_clients import BY_CLIENTS
from tests.ingest.dialects.test_provider_properties import KEPT
from tests.ingest.dialects.test_provider_rows import ALONE, BATCHES, BEDROCK_BODIES
from tests.ingest.dialects.test_provider_streams import WHOLE
from tests.ingest.fuzz.mutated import CONTENT, names_in, with_content
from tests.ingest.harness import event

JSON, JSONL, SSE = "application/json", "application/jsonl", "text/event-stream"
BATCH, ONE = "application/cloudevents-batch+json", "application/cloudevents+json"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, kw_only=True)
class GoodRequest:
    """One that is taken: objects, and how they stand in its body."""

    objects: Sequence[Any]
    media_type: str = JSON
    together: str = "one"
    """`one`, `array`, `lines`, `stream`, or `protobuf`: then each object is an item's attributes."""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    build: Any = None
    """Of `protobuf`: the request, of what is in `objects`."""


@dataclass(frozen=True, kw_only=True)
class FuzzedDialect:
    """One that is fuzzed."""

    name: str
    entrance: Entrance
    good: Sequence[GoodRequest]
    names: tuple[str, ...] = ()
    """Of fields that mean something there, beside those of the good requests."""

    @property
    def all_names(self) -> tuple[str, ...]:
        own = {name for request in self.good for each in request.objects for name in names_in(each)}
        return tuple(sorted(own | set(self.names)))


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(deepcopy(value), default=str))


def _example(name: str) -> Any:
    return json.loads(Path(contracts.__path__[0], "examples", name).read_bytes())


_RECEIPTS = {"prefer": "return=representation"}
_OUTCOME = {
    "specversion": "1.0", "type": OUTCOME_TYPE, "id": "o1", "source": "helpdesk", "subject": "acme/helpdesk",
    "data": {"name": "refund_resolved", "count": 2, "accepted": True, "value": {"amount": "4.20", "currency": "USD"},
             "labels": {"workflow": "refund", "run": "run-81", "user": "maria"}},
}  # fmt: skip
_SENT = _example("usage_event.sent.json")
_OWN = [
    GoodRequest(objects=[_SENT], media_type=ONE),
    GoodRequest(objects=[_SENT, event("2"), _OUTCOME], media_type=BATCH, together="array"),
    GoodRequest(objects=[event("3"), _SENT], together="array", headers=_RECEIPTS),
    GoodRequest(objects=[_OUTCOME], headers=_RECEIPTS),
    GoodRequest(objects=[_OUTCOME]),
    GoodRequest(objects=[{key: value for key, value in charge_body("3").items() if key != "receivedat"}]),
    GoodRequest(
        objects=[_SENT["data"]],
        headers={"ce-specversion": "1.0", "ce-type": _SENT["type"], "ce-id": "b1", "ce-source": "bot", "ce-subject": "s"},
    ),
]  # fmt: skip
_OTHERS = [
    GoodRequest(objects=[LITELLM_EVENT], media_type=ONE),
    GoodRequest(objects=KONG, media_type=BATCH, together="array"),
    GoodRequest(objects=[LITELLM_EVENT, *KONG, event("9")], together="array", headers=_RECEIPTS),
    GoodRequest(objects=[cloud_event("prompt", data={"tokens": "70", "model": "gpt-4o", "type": "output", "prompt": CONTENT})]),
    GoodRequest(objects=[cloud_event("answer", data={"model": "claude-sonnet-4-5", "usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 9}, "price": "0.25", "text": CONTENT})]),
    GoodRequest(objects=[cloud_event("workload", data={"gpu": {"type": "h100", "seconds": 12.5, "mb": 7}, "text": CONTENT})]),
    GoodRequest(objects=[LITELLM_EVENT["data"]], headers={f"ce-{name}": LITELLM_EVENT[name] for name in ("specversion", "type", "id", "source", "subject")}),
]  # fmt: skip
METERS = (
    {"event_type": "answer", "provider": "anthropic", "sku": "$.model", "dialect": "anthropic", "usage_at": "$.usage", "cost": ["$.price"], "is_call": True},
    {"event_type": "workload", "provider": "runpod", "sku": "$.gpu.type", "cost_class": "compute", "usage": {"gpu_seconds": "$.gpu.seconds", "mb_out": "$.gpu.mb"}, "labels": {"team": "@subject"}},
)  # fmt: skip
"""Of the tenant's own."""
_LAGO = {
    "transaction_id": "l1", "external_subscription_id": "acme-sub", "code": "litellm_tokens", "timestamp": 1795428000,
    "properties": {"model": "gpt-4o-mini", "prompt_tokens": 1200, "completion_tokens": 50, "response_cost": 0.0001332, "text": "x"},
}  # fmt: skip
_PAYLOADS = [
    payload(
        id="chatcmpl-C1aBcDeFgHiJkLmNoPqRsTuVwXyZa", messages=[{"role": "user", "content": CONTENT}], request_tags=["feature:answers", "x"], end_user="u-7",
        response={"choices": [{"message": {"content": CONTENT}}], "usage": {"prompt_tokens": 5}, "output": [{"type": "web_search_call", "action": {"type": "search"}}]},
        metadata={"user_api_key_alias": "search-prod", "user_api_key_hash": CONTENT, "usage_object": {"prompt_tokens": 1200, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 1024, "web_search_requests": 2}, "completion_tokens_details": {"reasoning_tokens": 20}}, "requester_metadata": {"team": "search", "note": CONTENT}},
    ),
    payload(id="msg_01XFDUDYJgAACzvnptvVoYEL", custom_llm_provider="anthropic", model="claude-sonnet-4-5", error_str=CONTENT,
            metadata={"usage_object": {"prompt_tokens": 1400, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 1000, "cache_creation_tokens": 300, "cache_creation_token_details": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}}}}),
    payload(call_type="call_mcp_tool", metadata={"mcp_tool_call_metadata": {"name": "search", "mcp_server_name": "web"}}),
    payload(call_type="arerank", response={"meta": {"billed_units": {"search_units": 3}}}),
]  # fmt: skip


def _of_providers() -> tuple[list[GoodRequest], list[GoodRequest], list[GoodRequest]]:
    """Whole answers, streams, and lines."""
    beside = {"model": "m", "id": "k", "transcription_model": "w", "label.team": "search"}
    whole = [(row[0], row[2], {}) for row in BY_CLIENTS] + [(row[0], row[1], {}) for row in ALONE]
    whole += [("bedrock", row[0], row[1]) for row in BEDROCK_BODIES]
    answers = [
        GoodRequest(objects=[with_content(_copied(body), KEPT)], query=beside, headers=headers, path={"provider": provider})
        for provider, body, headers in whole
    ]  # fmt: skip
    streams = [
        GoodRequest(
            objects=[with_content(_copied(each), KEPT) for each in row[1]], together="stream", media_type=SSE,
            query=beside | row[3] | ({"input_tokens": "40"} if place % 2 else {}), path={"provider": row[0]},
        )
        for place, row in enumerate(WHOLE)
    ]  # fmt: skip
    lines = [
        GoodRequest(
            objects=[with_content(_copied(each), KEPT) for each in row[1]], together="lines", media_type=JSONL,
            query=beside | row[2], path={"provider": row[0]},
        )
        for row in BATCHES
    ]  # fmt: skip
    return answers, streams, lines


def _calls() -> list[GoodRequest]:
    def call(place: int, provider: str, answer: Any, **more: Any) -> dict[str, Any]:
        data = {
            "provider": provider,
            "response": answer,
            "labels": {"team": "search"},
            "performance": {"latency_ms": 830},
        }
        return A_CALL | {"id": f"c{place}", "time": "2026-11-23T09:00:00Z", "data": data | more}

    rows = [(row[0], with_content(_copied(row[2]), KEPT)) for row in BY_CLIENTS]
    told = [call(place, provider, body, model="m") for place, (provider, body) in enumerate(rows)]
    broken = call(
        99,
        "openai",
        {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"delta": {"content": CONTENT}}]},
        interrupted=True,
        sent_bytes=400,
        sent_pieces=9,
        input_tokens=40,
    )
    return [
        *(GoodRequest(objects=[each], together="array") for each in told),
        GoodRequest(objects=[A_CALL, broken, told[0]], together="array"),
        GoodRequest(objects=[broken], together="array"),
    ]  # fmt: skip


_CHAT = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o",
    "gen_ai.response.id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "gen_ai.usage.input_tokens": 10_000,
    "gen_ai.usage.cache_read.input_tokens": 8_000, "gen_ai.usage.output_tokens": 1_000, "gen_ai.usage.reasoning.output_tokens": 400,
    "gen_ai.usage.cost": 0.0123, "gen_ai.input.messages": CONTENT, "gen_ai.output.messages": CONTENT, "enduser.id": "maria",
    "gen_ai.request.max_tokens": 4_096, "cost.team": "search", "error.message": CONTENT, "my.own": CONTENT,
}  # fmt: skip
_INTERRUPTED = {
    "gen_ai.operation.name": "chat", "gen_ai.system": "anthropic", "gen_ai.response.id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 25, "gen_ai.request.max_tokens": 512,
}  # fmt: skip
_LEGACY = {
    "llm.request.type": "chat", "gen_ai.system": "OpenAI", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 50,
    "llm.token_count.completion": 10, "input.value": CONTENT, "output.value": CONTENT,
}  # fmt: skip


def _as_spans(attributes: Sequence[Mapping[str, Any]]) -> Any:
    spans = [
        otlp.span(place + 1, attributes=dict(each), parent_span_id=bytes(8))
        for place, each in enumerate(attributes)
    ]
    return otlp.traces(*spans)


def _as_logs(attributes: Sequence[Mapping[str, Any]]) -> Any:
    resources = {"codex.sse_event": CODEX_RESOURCE, "gemini_cli.api_response": GEMINI_RESOURCE}
    name = next(iter(attributes), {}).get("event.name", "")
    records = [
        {"time_unix_nano": otlp.START_NS, "body": {"string_value": CONTENT}, "attributes": dict(each)}
        for each in attributes
    ]
    return otlp.logs(*records, resource=resources.get(name if isinstance(name, str) else "", CLAUDE_RESOURCE))


def _as_points(attributes: Sequence[Mapping[str, Any]]) -> Any:
    metrics = []
    for each in attributes:
        value = each.get("the-value", 1)
        value = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 1.0
        said = {key: of for key, of in each.items() if key not in ("the-value", "the-metric")}
        point = {
            "start_time_unix_nano": otlp.START_NS,
            "time_unix_nano": otlp.START_NS + 60,
            "as_double": value,
            "attributes": otlp.pairs(said),
        }
        metrics.append(
            counted(str(each.get("the-metric", "claude_code.commit.count")), point, temporality=DELTA)
        )
    return otlp.metrics(*metrics, resource=CLAUDE_RESOURCE)


_COMMITS = {
    "the-metric": "claude_code.commit.count",
    "the-value": 3,
    "session.id": "s1",
    "user.email": "jo@example.com",
    "note": CONTENT,
}
_ACTIVE = {
    "the-metric": "claude_code.active_time.total",
    "the-value": 12.5,
    "type": "user",
    "session.id": "s1",
}
_LINES = {
    "the-metric": "claude_code.lines_of_code.count",
    "the-value": 7,
    "type": "added",
    "session.id": "s1",
}


def _of_otlp(build: Any, *rows: Sequence[Mapping[str, Any]]) -> tuple[list[GoodRequest], list[GoodRequest]]:
    """In JSON, and in protobuf."""
    in_json = [GoodRequest(objects=[json.loads(otlp.in_json(build(row)))]) for row in rows]
    in_protobuf = [
        GoodRequest(
            objects=[dict(each) for each in row], media_type=PROTOBUF, together="protobuf", build=build
        )
        for row in rows
    ]
    return in_json, in_protobuf


def fuzzed() -> tuple[FuzzedDialect, ...]:
    """All of them."""
    answers, streams, lines = _of_providers()
    of_logs = [
        [record["attributes"] | {"prompt": CONTENT}]
        for record in (api_request(), sse_event(), api_response())
    ]
    genai = {"event.name": "gen_ai.client.inference.operation.details", **_CHAT}
    spans = _of_otlp(_as_spans, [_CHAT], [_CHAT, _INTERRUPTED], [_LEGACY, _CHAT], [_INTERRUPTED])
    records = _of_otlp(_as_logs, *of_logs, [genai], [of_logs[1][0], of_logs[1][0]])
    points = _of_otlp(_as_points, [_COMMITS], [_ACTIVE, _LINES])
    openmeter = next(each for each in GATEWAYS if each.name == "openmeter_v3")
    attributes = tuple(sorted(SPAN_ATTRIBUTES))
    return (
        FuzzedDialect(name="own", entrance=OWN_EVENTS, good=_OWN),
        FuzzedDialect(name="cloudevents", entrance=openmeter, good=_OTHERS),
        FuzzedDialect(name="lago", entrance=OWN_EVENTS, good=[GoodRequest(objects=[{"event": _LAGO}]), GoodRequest(objects=[{"events": [_LAGO, _LAGO]}])]),
        FuzzedDialect(name="lago batch", entrance=LAGO_BATCH, good=[GoodRequest(objects=[{"events": [_LAGO, _LAGO | {"transaction_id": "l2", "code": "workload", "properties": {"gpu": {"type": "h100", "seconds": 12.5, "mb": 7}}}]}])]),
        FuzzedDialect(name="litellm", entrance=LITELLM, good=[
            GoodRequest(objects=_PAYLOADS, together="array"), *(GoodRequest(objects=[each]) for each in _PAYLOADS),
            GoodRequest(objects=_PAYLOADS, together="lines", media_type="application/x-ndjson"),
        ]),
        FuzzedDialect(name="providers: answers", entrance=PROVIDER_RESPONSES, good=answers, names=tuple(ANSWER_NAMES)),
        FuzzedDialect(name="providers: streams", entrance=PROVIDER_RESPONSES, good=streams, names=tuple(ANSWER_NAMES)),
        FuzzedDialect(name="providers: batches", entrance=PROVIDER_RESPONSES, good=lines, names=tuple(ANSWER_NAMES)),
        FuzzedDialect(name="client", entrance=CLIENT_CALLS, good=_calls()),
        FuzzedDialect(name="traces in JSON", entrance=OTLP_TRACES, good=spans[0], names=attributes),
        FuzzedDialect(name="traces in protobuf", entrance=OTLP_TRACES, good=spans[1], names=attributes),
        FuzzedDialect(name="logs in JSON", entrance=OTLP_LOGS, good=records[0], names=attributes),
        FuzzedDialect(name="logs in protobuf", entrance=OTLP_LOGS, good=records[1], names=attributes),
        FuzzedDialect(name="metrics in JSON", entrance=OTLP_METRICS, good=points[0]),
        FuzzedDialect(name="metrics in protobuf", entrance=OTLP_METRICS, good=points[1]),
    )  # fmt: skip
