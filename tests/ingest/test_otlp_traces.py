"""Traces at a running door: a real exporter's spans are on the topic, and every answer is one that exporters understand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from uuid import uuid4

import asyncpg
import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from deploy.local.home import CLONE
from services.ingest.body import IN_FLIGHT_BYTES_MAX, Hold, InFlight
from services.ingest.dialects.otlp_items import ITEMS_MAX
from services.ingest.dialects.otlp_spans import UNMETERED
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.refused import RequestRefused, too_often, unavailable
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.keys import create_key
from tests.ingest.dialects.otlp import in_json, span, traces
from tests.ingest.dialects.vendors import collector, vendor
from tests.ingest.harness import Ingest, records_of
from tests.ingest.test_otlp_agents import PROTOBUF, post

USED = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3}  # fmt: skip
CANARY = "canary-7f21"
MIB = 2**20


async def of_run(door: Ingest, run: str) -> list[UsageEvent]:
    """What is on the topic of this run."""
    found = [read_event(record.value) for record in await records_of(door.kafka, door.topic)]
    return [event for event in found if event.data.labels.run == run]


def a_run() -> str:
    return f"run-{uuid4()}"


class Exports(SpanExporter):
    """An exporter that remembers what became of each export."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self.results: list[SpanExportResult] = []

    def export(self, spans: object) -> SpanExportResult:  # type: ignore[override]
        self.results.append(self._exporter.export(spans))  # type: ignore[arg-type]
        return self.results[-1]


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
async def test_a_real_exporter_is_understood(door: Ingest, compression: Compression) -> None:
    run = a_run()
    exporter = OTLPSpanExporter(
        f"{door.url}/v1/traces",
        headers={"authorization": f"Bearer {door.keys['acme']}"},
        compression=compression,
    )
    exports = Exports(exporter)
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout"}))
    provider.add_span_processor(SimpleSpanProcessor(exports))
    with provider.get_tracer("mine").start_as_current_span("chat gpt-4o") as spoken:
        spoken.set_attributes(USED | {"cost.run": run, "gen_ai.prompt": CANARY})
    assert exports.results == [SpanExportResult.SUCCESS]
    (event,) = await of_run(door, run)
    context = spoken.get_span_context()
    assert (event.source, event.id) == ("otlp", f"{context.trace_id:032x}-{context.span_id:016x}")
    assert (event.tenant, event.data.usage, event.data.labels.project) == (
        "acme",
        {"input_tokens": 10, "output_tokens": 3},
        "checkout",
    )


def test_a_real_exporter_sends_again_after_what_is_said_of_later() -> None:
    for refused in (unavailable("the log is away"), too_often("3 events a minute", 1)):
        response = OTLP_TRACES.refuse("/v1/traces", PROTOBUF, refused)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        with collector(bytes(response.body)) as (url, taken):
            provider = TracerProvider()
            exports = Exports(OTLPSpanExporter(f"{url}/v1/traces"))
            provider.add_span_processor(SimpleSpanProcessor(exports))
            provider.get_tracer("mine").start_span("chat gpt-4o").end()
        assert exports.results == [SpanExportResult.SUCCESS]
        assert len(taken) == 2
        assert taken[0][1] == taken[1][1], "the same spans by the same ids"


async def test_an_instrumented_application_is_metered_by_a_url_and_a_key(door: Ingest) -> None:
    with vendor() as vendors_url:
        command = [
            sys.executable,
            "-m",
            "tests.ingest.dialects.emitting",
            "genai",
            "openai",
            vendors_url,
            f"{door.url}/v1/traces",
        ]
        run = subprocess.run(
            [*command, f"authorization=Bearer {door.keys['globex']}"],
            cwd=CLONE,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr[-3000:]
    found = [
        read_event(record.value)
        for record in await records_of(door.kafka, door.topic)
        if b'"globex"' in record.value
    ]
    mine = [event for event in found if event.data.labels.team == "payments"]
    assert sorted((event.source, event.data.sku) for event in mine) == [
        ("call:openai", "gpt-4o-2024-08-06"), ("call:openai", "gpt-4o-2024-08-06"), ("call:openai", "gpt-4o-2024-08-06"),
        ("call:openai", "gpt-4o-audio-preview-2024-12-17"), ("call:openai", "gpt-5.6-sol"), ("otlp", "text-embedding-3-small"),
    ]  # fmt: skip


async def test_what_can_never_be_right_is_rejected_beside_what_is_taken(door: Ingest) -> None:
    run = a_run()
    request = traces(
        span(1, attributes=USED | {"cost.run": run}), span(2, attributes=USED | {"gen_ai.usage.input_tokens": -1}),
        span(3, attributes={"http.route": CANARY}), span(4, attributes=USED | {"gen_ai.usage.output_tokens": CANARY}),
    )  # fmt: skip
    answer = post(door, "traces", request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert said.rejected_spans == 2
    assert said.error_message == (
        "item 1: attributes gen_ai.usage.input_tokens must be a whole number of at least 0; "
        "item 3: attributes gen_ai.usage.output_tokens must be a whole number of at least 0"
    )
    answer = post(door, "traces", in_json(request))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "2"
    assert CANARY not in answer.text
    assert len(await of_run(door, run)) == 2  # the same identity: the ledger knows a duplicate


def test_all_taken_is_an_empty_answer_in_the_requests_encoding(door: Ingest) -> None:
    request = traces(span(attributes=USED), span(2, attributes={"gen_ai.operation.name": "invoke_agent"}))
    assert post(door, "traces", request).content == b""
    assert post(door, "traces", in_json(request)).content == b"{}"


def test_a_call_without_usage_is_told_of_and_nothing_is_rejected(door: Ingest) -> None:
    request = traces(span(attributes={"gen_ai.operation.name": "chat", "gen_ai.response.id": "chatcmpl-9"}))
    said = ExportTraceServiceResponse.FromString(post(door, "traces", request).content).partial_success
    assert (said.rejected_spans, said.error_message) == (0, f"not metered: 1 x {UNMETERED}")


def refusal(answer: httpx.Response, status: int) -> str:
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROTOBUF)
    return str(Status.FromString(answer.content).message)


def test_refusals_are_in_the_requests_encoding(door: Ingest) -> None:
    request = traces(span(attributes=USED))
    assert "key" in refusal(post(door, "traces", request, Authorization="Bearer sm_nobody"), 401)
    assert "not protobuf" in refusal(post(door, "traces", request, **{"Content-Encoding": "identity"}), 400)
    answer = post(door, "traces", b"[1]")
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (
        400,
        "application/json",
        3,
    )
    assert answer.json()["message"].endswith("is not JSON of an OTLP request")
    assert (
        httpx.post(
            f"{door.url}/v1/traces",
            content=b"x",
            headers={"Authorization": f"Bearer {door.keys['acme']}", "Content-Type": "text/plain"},
        ).status_code
        == 415
    )


def test_a_collectors_whole_batch_is_taken_at_once_and_more_is_too_large(door: Ingest) -> None:
    many = [span(n, attributes=USED) for n in range(1, 10_001)]
    assert post(door, "traces", traces(*many)).status_code == 200
    assert "at most" in refusal(post(door, "traces", traces(*[{"name": "x"}] * (ITEMS_MAX + 1))), 413)


async def test_a_batch_with_content_up_to_its_bounds_is_taken(door: Ingest) -> None:
    run = a_run()
    said = os.urandom(900).hex() * 12
    many = [span(n, attributes=USED | {"cost.run": run, "gen_ai.prompt": said}) for n in range(1, 2_049)]
    request = traces(*many)
    whole = request.SerializeToString()
    assert 40 * MIB < len(whole) < 64 * MIB
    assert post(door, "traces", request).status_code == 200
    assert len(await of_run(door, run)) == 2_048
    answer = post(door, "traces", whole + whole, **{"Content-Type": PROTOBUF, "Content-Encoding": "identity"})
    assert "16777216 bytes" in refusal(answer, 413)


def test_a_request_is_never_told_to_come_later_for_its_own_size() -> None:
    everybody = InFlight()
    with Hold(everybody) as alone:
        alone.add(2 * IN_FLIGHT_BYTES_MAX)
        with Hold(everybody) as another, pytest.raises(RequestRefused, match="in flight"):
            another.add(1)
    assert everybody == InFlight()


async def test_later_is_503_for_whoever_sends_too_often(door: Ingest) -> None:
    connection = await asyncpg.connect(door.database)
    door.keys["dripping"] = await create_key(
        connection, "acme", ["ingest"], name="dripping", events_per_minute=3
    )
    await connection.close()
    request = traces(*[span(n, attributes=USED) for n in range(1, 6)])
    deadline = time.monotonic() + 15
    while (answer := post(door, "traces", request, key="dripping")).status_code == 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert answer.status_code == 200
    answer = post(door, "traces", request, key="dripping")
    assert "3 events a minute" in refusal(answer, 503)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    answer = post(door, "traces", in_json(request), key="dripping")
    assert (answer.status_code, answer.json()["code"]) == (503, 14)


async def test_nothing_that_was_said_reaches_the_topic_or_the_log(door: Ingest) -> None:
    fields = {
        "name": CANARY,
        "events": [{"name": CANARY}],
        "status": {"code": 2, "message": CANARY},
        "trace_state": CANARY,
    }
    names = [
        "gen_ai.prompt",
        "gen_ai.input.messages",
        "output.value",
        "llm.prompts",
        "url.full",
        "cost.secret",
    ]
    request = traces(
        span(attributes=USED | dict.fromkeys(names, CANARY), **fields), resource={"host.name": CANARY}
    )
    for body in (request, in_json(request), b'{"resourceSpans": "canary-7f21"}'):
        post(door, "traces", body)
    assert not any(CANARY.encode() in record.value for record in await records_of(door.kafka, door.topic))
    assert CANARY not in door.log.read_text()
    assert json.dumps(CANARY)[1:-1] not in door.log.read_text()
