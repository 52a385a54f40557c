"""The Collector that is shipped as a configuration: it runs as it stands, and what was said stays on its side."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.local.home import CLONE
from services.ingest.dialects.otlp_calls import translate_spans
from services.ingest.dialects.otlp_items import SentSpan
from services.ingest.dialects.otlp_logs import kept
from services.ingest.dialects.otlp_spans import ATTRIBUTES
from services.ingest.dialects.otlp_wire import PROTOBUF, read_logs, read_points, read_spans
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.label_maps import ITEM_ATTRIBUTES
from spendmeter.contracts.otel_names import OTEL
from tests.ingest.dialects.otlp import logs, metrics, pairs, span, traces
from tests.ingest.dialects.vendors import collector as receiver
from tests.ingest.harness import Ingest, records_of
from tests.ports import free_port

CONFIGURATION = CLONE / "deploy" / "otel" / "collector.yaml"
BUILT = CLONE / ".spendmeter" / "collector" / "spendmeter-collector"
CANARY = "canary-7f21"
USED = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3}  # fmt: skip
SAID = ["gen_ai.prompt", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions", "input.value", "output.value", "llm.prompts", "url.full", "prompt", "error.message", "host.name"]  # fmt: skip


def binary() -> Path | None:
    named = os.environ.get("SPENDMETER_COLLECTOR", "")
    found = [Path(named)] if named else [BUILT, *map(Path, filter(None, [shutil.which("otelcol-contrib")]))]
    return next((path for path in found if path.exists()), None)


needs_collector = pytest.mark.skipif(
    binary() is None, reason="no Collector here: make collector builds one, with Go"
)


def allowed() -> tuple[set[str], list[str]]:
    redaction = yaml.safe_load(CONFIGURATION.read_text("utf-8"))["processors"]["redaction/attributes"]
    return set(redaction["allowed_keys"]), redaction["ignored_key_patterns"]


def passes(name: str) -> bool:
    names, patterns = allowed()
    return name in names or any(re.search(pattern, name) for pattern in patterns)


def test_it_lets_through_what_the_doors_look_at_and_nothing_else_by_name() -> None:
    looked_at = (
        (ATTRIBUTES | kept(RequestMaps()) | ITEM_ATTRIBUTES) - set(OTEL.call.answer) - {"error.message"}
    )
    # a provider may say there what it found and what was answered; what it counts of the call stays behind with that
    parts = ("ai.response.providerMetadata", *(f"{text}." for text in OTEL.texts))
    looked_at = {name for name in looked_at if not name.startswith(parts)}
    names, _ = allowed()
    assert {name for name in looked_at if not passes(name)} == set(), (
        "name them in deploy/otel/collector.yaml"
    )
    assert names - looked_at == set(), (
        "nobody looks at these any more: take them out of deploy/otel/collector.yaml"
    )
    assert [name for name in SAID if passes(name)] == []


@contextmanager
def collecting(url: str, key: str) -> Iterator[str]:
    """A Collector in front of `url`; its own for exporters."""
    path, http = binary(), free_port()
    assert path is not None
    told = {
        "SPENDMETER_INGEST_URL": url, "SPENDMETER_KEY": key, "COLLECTOR_HTTP_PORT": str(http), "COLLECTOR_GRPC_PORT": str(free_port()),
    }  # fmt: skip
    process = subprocess.Popen(
        [path, "--config", CONFIGURATION], env=os.environ | told, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, process.stderr and process.stderr.read()[-3000:]
            try:
                httpx.get(f"http://127.0.0.1:{http}/v1/traces", timeout=1)
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield f"http://127.0.0.1:{http}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()


def export(url: str, signal_name: str, request: Any) -> None:
    answer = httpx.post(
        f"{url}/v1/{signal_name}",
        content=request.SerializeToString(),
        headers={"Content-Type": PROTOBUF},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def until_taken(taken: list[tuple[dict[str, str], bytes]], count: int, read: Any) -> list[Any]:
    deadline = time.monotonic() + 30
    while len(found := [item for _, body in list(taken) for item in read(body)]) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count}"
        time.sleep(0.1)
    return found


@needs_collector
def test_what_was_said_stays_with_the_collector_and_batches_are_small() -> None:
    said = dict.fromkeys(SAID, CANARY)
    tomorrow = {"gen_ai.usage.thoughts.output_tokens": 5, "cost.team": "search"}
    many = [
        span(
            n,
            attributes=USED | said | tomorrow,
            events=[{"name": "gen_ai.choice", "attributes": pairs(said)}],
        )
        for n in range(1, 1_301)
    ]
    with receiver() as (url, taken), collecting(url, "sm_key") as front:
        export(front, "traces", traces(*many, resource={"host.name": CANARY, "team": "payments"}))
        bodies: list[bytes] = []

        def read(body: bytes) -> list[SentSpan]:
            bodies.append(gzip.decompress(body))
            return read_spans(bodies[-1], PROTOBUF)

        found = until_taken(taken, 1_300, read)
    assert len(found) == 1_300
    assert max(len(read_spans(gzip.decompress(body), PROTOBUF)) for _, body in taken) == 512
    assert all(
        headers["authorization"] == "Bearer sm_key" and headers["content-encoding"] == "gzip"
        for headers, _ in taken
    )
    assert not any(CANARY.encode() in body for body in bodies)
    assert found[0].attributes == USED | tomorrow
    assert found[0].resource == {"service.name": "checkout", "team": "payments"}
    events = [
        event
        for body in {bytes(body) for body in bodies}
        for event in translate_spans(body, PROTOBUF, RequestMaps(tenant="acme")).events
    ]
    assert len(events) == 1_300


@needs_collector
def test_log_records_keep_their_event_and_lose_their_text() -> None:
    sent = logs(
        {
            "body": {"string_value": "claude_code.api_request"},
            "attributes": {"input_tokens": 5, "prompt": CANARY},
        },
        {"body": {"string_value": f"they said {CANARY}"}, "attributes": {"event.name": "codex.sse_event"}},
        {"body": {"kvlist_value": {"values": pairs({"prompt": CANARY})}}},
    )
    with receiver() as (url, taken), collecting(url, "sm_key") as front:
        export(front, "logs", sent)
        found = until_taken(taken, 3, lambda body: read_logs(gzip.decompress(body), PROTOBUF))
    assert [record.attributes for record in found] == [
        {"input_tokens": 5},
        {"event.name": "codex.sse_event"},
        {},
    ]
    assert found[0].name == "claude_code.api_request"
    assert CANARY not in repr(found)


@needs_collector
def test_totals_become_what_was_added() -> None:
    def total(value: int, minute: int) -> Any:
        point = {
            "start_time_unix_nano": began,
            "time_unix_nano": began + minute * 60 * 10**9,
            "as_int": value,
        }
        added_up = {"aggregation_temporality": 2, "is_monotonic": True, "data_points": [point]}
        return metrics({"name": "claude_code.commit.count", "sum": added_up})

    with receiver() as (url, taken), collecting(url, "sm_key") as front:
        began = time.time_ns()  # a counter that began before the Collector may have been told of already
        for minute, value in ((1, 3), (2, 3), (3, 8)):
            export(front, "metrics", total(value, minute))
            time.sleep(0.2)
        found = until_taken(taken, 3, lambda body: read_points(gzip.decompress(body), PROTOBUF))
    assert [(point.value, point.temporality) for point in found] == [(3, "delta"), (0, "delta"), (5, "delta")]


@needs_collector
async def test_an_application_behind_it_is_metered(door: Ingest) -> None:
    marked = {"cost.run": "behind-a-collector"}
    with collecting(door.url, door.keys["acme"]) as front:
        export(
            front,
            "traces",
            traces(*[span(n, attributes=USED | marked | {"gen_ai.prompt": CANARY}) for n in range(1, 601)]),
        )
        deadline = time.monotonic() + 30
        while True:
            found = [
                record
                for record in await records_of(door.kafka, door.topic)
                if b'"behind-a-collector"' in record.value
            ]
            if len(found) == 600:
                break
            assert time.monotonic() < deadline, len(found)
            time.sleep(0.2)
    assert not any(CANARY.encode() in record.value for record in found)
