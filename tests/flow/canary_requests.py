"""The canary's requests: good ones and bad ones, through every entrance of ingest; and a bill for the api."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import zstandard
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from spendmeter.contracts.outcomes import OUTCOME_TYPE
from tests.flow.canary import Canary
from tests.flow.system import usage_event
from tests.ingest.dialects import otlp
from tests.ingest.dialects.agents import api_request

JSON, PROTOBUF = "application/json", "application/x-protobuf"


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One request, and the status with which it is answered."""

    path: str
    body: bytes
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    key: str = "acme"
    method: str = "POST"


def strangers_headers(canary: Canary, of: str) -> dict[str, str]:
    """What clients and what stands between send beside a body."""
    names = ("User-Agent", "X-Request-Id", "Cookie", "Referer", "baggage", "X-Forwarded-For", "X-Prompt")
    return {name: canary.at(f"{of}-header-{name.lower()}") for name in names} | {
        "tracestate": f"vendor={canary.at(f'{of}-tracestate')}"
    }


def sendings(canary: Canary) -> list[Sending]:
    """Through every entrance, good and refused."""
    made = [
        *_own(canary),
        *_refused(canary),
        *_others(canary),
        *_litellm(canary),
        *_providers(canary),
        *_client(canary),
        *_otlp(canary),
    ]
    return [
        Sending(
            path=each.path, body=each.body, status=each.status, key=each.key, method=each.method,
            headers=strangers_headers(canary, f"r{place}") | dict(each.headers), query={"note": canary.at(f"r{place}-query")} | dict(each.query),
        )
        for place, each in enumerate(made)
    ]  # fmt: skip


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _own(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    labels = {
        "team": may("own-team"), "run": may("own-run"), "feature": may("own-feature"), "user": canary.user, "secret": at("own-unknown-label"),
    }  # fmt: skip
    data = {
        "labels": labels, "prompt": at("own-prompt"), "messages": [{"content": at("own-message")}], "completion": at("own-completion"),
        "tool_arguments": {"q": at("own-tool-argument")}, may("own-field-name"): at("own-field-value"),
        "performance": {"status": may("own-status"), "trace": at("own-trace")}, "context": {"region": may("own-region"), "note": at("own-context")},
    }  # fmt: skip
    event = usage_event(may("own-id"), source=may("own-source"), **data) | {
        "subject": may("own-subject"), "tracestate": at("own-event-tracestate"), "traceparent": at("own-event-traceparent"), "extension": at("own-extension"),
    }  # fmt: skip
    again = json.loads(json.dumps(event))
    again["data"]["usage"] = {"input_tokens": 9}  # the same id says something else: a conflict
    receipts = usage_event(
        may("receipt-id"), labels={"team": may("receipt-team"), "user": canary.user}, text=at("receipt-text")
    )
    outcome = {
        "specversion": "1.0", "type": OUTCOME_TYPE, "id": may("outcome-id"), "source": may("outcome-source"), "subject": may("outcome-subject"), "text": at("outcome-unknown"),
        "data": {"name": may("outcome-name"), "labels": {"run": may("outcome-run"), "user": canary.user}, "review": at("outcome-review")},
    }  # fmt: skip
    binary = {
        "ce-specversion": "1.0", "ce-type": "spendmeter.usage.v1", "ce-id": may("binary-id"), "ce-source": may("binary-source"),
        "ce-subject": may("binary-subject"), "ce-secret": at("binary-extension"),
    }  # fmt: skip
    said = usage_event("x", prompt=at("binary-prompt"), labels={"user": canary.user})["data"]
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    return [
        Sending(path="/api/v1/events", body=_json(event), status=204),
        Sending(path="/api/v1/events", body=gzip.compress(_json([again])), status=204, headers=batch | {"Content-Encoding": "gzip"}),
        Sending(
            path="/api/v1/events", body=_json([receipts, receipts | {"id": at("receipt-bad"), "type": at("receipt-type")}]), status=200,
            headers=batch | {"Prefer": "return=representation"},
        ),
        Sending(path="/api/v1/events", body=_json(outcome), status=204),
        Sending(path="/api/v1/events", body=_json(said), status=204, headers=binary),
    ]  # fmt: skip


def _refused(canary: Canary) -> list[Sending]:
    at = canary.at
    events, ok = "/api/v1/events", usage_event
    of_usage = ok(
        at("bad-id"),
        labels={"team": at("bad-team"), "user": canary.user},
        usage={"input_tokens": at("bad-quantity")},
    )
    words = [
        ok(at(f"bad-{place}"), **{name: at(f"bad-{name}")})
        for place, name in enumerate(("cost_class", "estimated", "cadence", "normalised"))
    ]
    packed = gzip.compress(_json(ok("x", prompt=at("bad-gzip") * 50)))
    return [
        Sending(path=events, body=_json(of_usage), status=400),
        *(Sending(path=events, body=_json(each), status=400) for each in words),
        Sending(path=events, body=_json(ok("x") | {"type": at("bad-type")}), status=400),
        Sending(path=events, body=_json(ok("x") | {"time": at("bad-time")}), status=400),
        Sending(path=events, body=_json(ok("x") | {"tenant": at("bad-tenant")}), status=403),
        Sending(path=events, body=_json({"text": at("bad-no-event")}), status=400),
        Sending(path=events, body=f'{{"prompt": "{at("bad-json")}'.encode(), status=400),
        Sending(path=events, body=packed[:-9], status=400, headers={"Content-Encoding": "gzip"}),
        Sending(path=events, body=zstandard.compress(_json({"x": at("bad-zstd")}))[:-3], status=400, headers={"Content-Encoding": "zstd"}),
        Sending(path=events, body=at("bad-plain").encode(), status=415, headers={"Content-Type": at("bad-content-type")}),
        Sending(path=events, body=b"{}", status=415, headers={"Content-Encoding": at("bad-content-encoding")}),
        Sending(path=events, body=_json(ok(at("bad-too-large"), prompt=at("bad-large") * 60_000)), status=413),
        Sending(path=events, body=_json(ok("x")), status=401, headers={"Authorization": f"Bearer sm_{at('bad-key')}"}),
        Sending(path=events, body=_json(ok("x")), status=403, headers={"X-Spendmeter-Tenant": at("bad-tenant-header")}),
        Sending(path=f"/{at('bad-path')}", body=b"{}", status=404),
        Sending(path=f"/api/v1/usage/{at('bad-provider')}", body=b"{}", status=404),
        Sending(path=events, body=_json(ok(at("bad-method"))), status=405, method="PUT"),
        Sending(path="/api/v1/litellm", body=f'{{"messages": "{at("bad-litellm")}'.encode(), status=400),
        Sending(path="/api/v1/usage/openai", body=_json({"error": {"message": at("bad-answer")}, "usage": at("bad-usage")}), status=400),
        Sending(path="/v1/traces", body=b"\x0a\xff" + at("bad-protobuf").encode(), status=400, headers={"Content-Type": PROTOBUF}),
        Sending(path="/v1/logs", body=_json({"resourceLogs": at("bad-logs")}), status=400),
        Sending(path="/openmeter/events", body=_json(_cloud_event("unheard-of", at("bad-unmetered"), {"text": at("bad-properties")})), status=400),
        Sending(path="/api/v1/events/batch", body=_json({"events": [{"transaction_id": at("bad-lago"), "code": at("bad-code"), "properties": at("bad-lago-properties")}]}), status=422),
    ]  # fmt: skip


def _cloud_event(kind: str, id: str, data: Any, **more: str) -> dict[str, Any]:
    return {"specversion": "1.0", "type": kind, "id": id, "source": "svc", "data": data} | more


def _others(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    tokens = {
        "tokens": "70",
        "model": "gpt-4o",
        "type": "output",
        "prompt": at("openmeter-property"),
        "user_mail": at("openmeter-mail"),
    }
    kong = {
        "tokens": "70",
        "model": "gpt-4o",
        "provider": "openai",
        "type": "request",
        "route": at("kong-route"),
        "body": at("kong-body"),
    }
    lago = {
        "transaction_id": may("lago-id"), "external_subscription_id": canary.user, "code": "litellm_tokens", "note": at("lago-field"),
        "properties": {"model": "gpt-4o-mini", "prompt_tokens": 12, "completion_tokens": 5, "response_cost": 0.01, "answer": at("lago-property")},
    }  # fmt: skip
    return [
        Sending(path="/openmeter/events", body=_json(_cloud_event("prompt", may("openmeter-id"), tokens, subject=canary.user, extra=at("openmeter-extension"))), status=202),
        Sending(path="/api/v3/openmeter/events", body=_json(_cloud_event("kong.llm_request", may("kong-id"), kong, subject=may("kong-subject"))), status=202),
        Sending(path="/api/v1/events", body=_json({"event": lago}), status=200),
        Sending(path="/api/v1/events/batch", body=_json({"events": [lago | {"transaction_id": may("lago-batch-id")}]}), status=200),
    ]  # fmt: skip


def _litellm(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    payload = {
        "id": may("litellm-id"), "call_type": "acompletion", "status": "success", "custom_llm_provider": "openai", "model": "gpt-4o-mini",
        "response_cost": 0.0001, "messages": [{"role": "user", "content": at("litellm-prompt")}], "end_user": canary.user, "requester_ip_address": at("litellm-address"),
        "response": {"choices": [{"message": {"content": at("litellm-answer"), "tool_calls": [{"function": {"arguments": at("litellm-argument")}}]}}]},
        "error_str": at("litellm-error"), "model_parameters": {"stop": at("litellm-parameter")}, "request_tags": [at("litellm-tag"), f"feature:{may('litellm-feature')}"],
        "metadata": {
            "user_api_key_alias": may("litellm-alias"), "user_api_key_team_alias": may("litellm-team"), "user_api_key_hash": at("litellm-hash"),
            "user_api_key_user_id": canary.user, "user_api_key_user_email": canary.user, "requester_metadata": {"note": at("litellm-metadata"), "project": may("litellm-project")},
            "usage_object": {"prompt_tokens": 12, "completion_tokens": 5, "note": at("litellm-usage")}, "spend_logs_metadata": {"why": at("litellm-spend-log")},
        },
    }  # fmt: skip
    bad = payload | {"id": at("litellm-bad-id"), "startTime": 1e300, "model": at("litellm-bad-model")}
    return [Sending(path="/api/v1/litellm", body=_json([payload, bad]), status=200)]


def _providers(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    chat = {
        "id": may("chat-id"), "object": "chat.completion", "model": "gpt-4o", "system_fingerprint": at("chat-fingerprint"),
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": at("chat-answer"), "tool_calls": [
            {"id": at("chat-tool-id"), "type": "function", "function": {"name": at("chat-tool"), "arguments": at("chat-argument")}}]}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5}, "metadata": {"note": at("chat-metadata")}, "user": at("chat-user"),
    }  # fmt: skip
    chunk = {
        "id": at("stream-chunk-id"),
        "object": "chat.completion.chunk",
        "model": "gpt-4o",
        "choices": [{"index": 0, "delta": {"content": at("stream-text")}}],
    }
    row = {
        "id": "batch_req_1",
        "custom_id": at("row-custom-id"),
        "response": {"status_code": 200, "body": chat | {"id": at("row-id")}},
        "error": None,
    }
    failed = row | {"response": None, "error": {"message": at("row-error")}}
    no_row = f'{{"prompt": "{at("row-broken")}'
    lines = "\n".join([json.dumps(row), json.dumps(failed), no_row]).encode()
    labels = {"Spendmeter-Labels": f"team={may('answer-team')},user={canary.user}"}
    claude = {
        "id": "msg_01XFDUDYJgAACzvn" + uuid4().hex[:8].translate(str.maketrans("01", "Qx")), "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "thinking", "thinking": at("claude-thinking")}, {"type": "tool_use", "name": at("claude-tool"), "input": {"q": at("claude-argument")}}],
        "stop_sequence": at("claude-stop"), "usage": {"input_tokens": 5, "output_tokens": 2},
    }  # fmt: skip
    return [
        Sending(path="/api/v1/usage/openai", body=_json(chat), status=204, headers=labels, query={"source": may("chat-source"), "label.run": may("chat-run")}),
        Sending(path="/api/v1/usage/openai", body=f"data: {json.dumps(chunk)}\n\ndata: {{\"{at('stream-cut')}".encode(), status=200, headers={"Content-Type": "text/event-stream"}, query={"id": may("stream-id"), "label.user": canary.user}),
        Sending(path="/api/v1/usage/openai", body=lines, status=200, headers={"Content-Type": "application/jsonl", "Idempotency-Key": may("batch-id")}),
        Sending(path="/api/v1/usage/anthropic", body=_json(claude), status=204, query={"label.feature": may("claude-feature")}),
    ]  # fmt: skip


def _client(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    response = {
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 12, "completion_tokens": 5},
        "choices": [{"message": {"content": at("client-answer")}}],
    }
    call = {
        "specversion": "1.0", "type": "spendmeter.answer.v1", "id": may("client-id"), "source": may("client-source"), "subject": may("client-subject"), "extra": at("client-extra"),
        "data": {"provider": "openai", "response": response, "labels": {"team": may("client-team"), "user": canary.user}, "prompt": at("client-prompt")},
    }  # fmt: skip
    return [Sending(path="/api/v1/usage", body=_json([call]), status=204)]


def _otlp(canary: Canary) -> list[Sending]:
    at, may = canary.at, canary.may
    hidden = (
        "gen_ai.input.messages gen_ai.output.messages gen_ai.prompt.0.content gen_ai.completion.0.content input.value output.value gen_ai.tool.call.arguments "
        "gen_ai.system_instructions http.url exception.message my.own"
    ).split()  # fmt: skip
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 5,
        "enduser.id": canary.user, "user.email": canary.user, "cost.team": may("span-team"), "cost.run": may("span-run"),
        **{name: at(f"span-{name.replace('.', '-').replace('_', '-')}") for name in hidden},
    }  # fmt: skip
    ids = uuid4().bytes
    span = otlp.span(
        1, trace_id=ids, span_id=ids[:8], name=at("span-name"), trace_state=f"x={at('span-tracestate')}", attributes=attributes,
        status={"code": 2, "message": at("span-status")},
        events=[{"name": at("span-event"), "attributes": otlp.pairs({"text": at("span-event-attribute")})}],
        links=[{"trace_id": ids, "span_id": ids[:8], "attributes": otlp.pairs({"text": at("span-link")})}],
    )  # fmt: skip
    resource = {
        "service.name": may("span-service"),
        "host.name": at("resource-host"),
        "process.command_line": at("resource-command"),
        "user.name": canary.user,
    }
    now = int(datetime.now(UTC).timestamp() * 1e9)
    call = api_request(
        request_id=may("log-request"), **{"session.id": may("log-session"), "event.timestamp": datetime.now(UTC).isoformat(), "prompt": at("log-prompt"), "tool_input": at("log-tool"), "error": at("log-error"),
        "user.id": canary.user, "user.email": canary.user, "user.account_uuid": canary.user, "user.account_id": canary.user},
    ) | {"body": AnyValue(string_value=at("log-body"))}  # fmt: skip
    other = {
        "body": AnyValue(string_value=at("log-other-body")),
        "attributes": {"event.name": at("log-other-name"), "text": at("log-other-attribute")},
    }
    point = {
        "start_time_unix_nano": now - 60, "time_unix_nano": now, "as_double": 3, "attributes": otlp.pairs({"session.id": may("point-session"), "user.email": canary.user, "note": at("point-attribute")}),
        "exemplars": [{"time_unix_nano": now, "as_double": 1, "filtered_attributes": otlp.pairs({"text": at("point-exemplar")})}],
    }  # fmt: skip
    commits = {
        "name": "claude_code.commit.count",
        "description": at("metric-description"),
        "unit": at("metric-unit"),
        "sum": {"aggregation_temporality": 1, "is_monotonic": True, "data_points": [point]},
    }
    strange = {"name": at("metric-name"), "gauge": {"data_points": [point]}}
    claude = {"service.name": "claude-code", "host.name": at("log-host")}
    encoded = {"Content-Type": PROTOBUF}
    traces = otlp.traces(span, resource=resource)
    return [
        Sending(path="/v1/traces", body=traces.SerializeToString(), status=200, headers=encoded),
        Sending(path="/v1/traces", body=otlp.in_json(traces), status=200),
        Sending(path="/v1/logs", body=otlp.logs(call, other, resource=claude).SerializeToString(), status=200, headers=encoded),
        Sending(path="/v1/metrics", body=otlp.metrics(commits, strange, resource=claude).SerializeToString(), status=200, headers=encoded),
    ]  # fmt: skip


def bill(canary: Canary) -> bytes:
    """Two rows in FOCUS, of which the second cannot be read."""
    may, at = canary.may, canary.at
    row = {
        "BilledCost": "1", "EffectiveCost": "1", "ListCost": "1", "ContractedCost": "1", "BillingCurrency": "USD", "BillingAccountId": may("bill-account"),
        "BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargePeriodStart": "2026-11-20T00:00:00Z", "ChargeCategory": "Usage", "InvoiceIssuerName": may("bill-issuer"),
        "ServiceName": may("bill-service"), "ServiceProviderName": may("bill-provider"), "ServiceCategory": "Databases", "ChargeDescription": may("bill-description"),
        "ResourceId": may("bill-resource"), "ResourceName": at("bill-resource-name"), "BillingAccountName": at("bill-account-name"), "x_Note": at("bill-column"),
        "Tags": json.dumps({"CostCenter": may("bill-team"), "note": at("bill-tag"), at("bill-tag-name"): "x"}),
    }  # fmt: skip
    bad = row | {
        "EffectiveCost": at("bill-bad-cost"),
        "ChargeDescription": at("bill-bad-description"),
        "ResourceId": at("bill-bad-resource"),
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, row, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows([row, bad])
    return text.getvalue().encode()
