"""Coding agents at a running door: what their exporters send is on the topic, whose it is, and nothing they wrote."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from services.ingest.pseudonyms import PREFIX
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.outcomes import read_outcome
from spendmeter.contracts.topics import USAGE_OUTCOMES
from tests.ingest.dialects.agents import CLAUDE_RESOURCE, CODEX_RESOURCE, PROTOBUF, api_request, sse_event
from tests.ingest.dialects.otlp import in_json, logs, metrics
from tests.ingest.dialects.test_otlp_metrics import CUMULATIVE, counted, point
from tests.ingest.harness import Ingest, records_of
from tests.waiting import until

MAPS_S_MAX = 15


def post(
    door: Ingest, signal: str, request: Message | bytes, *, key: str = "acme", **headers: str
) -> httpx.Response:
    """As an exporter posts: protobuf, packed; bytes go as JSON."""
    plain = isinstance(request, bytes)
    body = request if isinstance(request, bytes) else gzip.compress(request.SerializeToString())
    sent = {
        "Authorization": f"Bearer {door.keys[key]}",
        "Content-Type": "application/json" if plain else PROTOBUF,
        **({} if plain else {"Content-Encoding": "gzip"}),
        **headers,
    }
    return httpx.post(f"{door.url}/v1/{signal}", content=body, headers=sent, timeout=30)


async def events(door: Ingest, *sessions: str) -> list[UsageEvent]:
    """What is on the topic of these sessions."""
    found = [read_event(record.value) for record in await records_of(door.kafka, door.topic)]
    return [event for event in found if event.data.labels.run in sessions]


@pytest.fixture
async def owner(door: Ingest) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(door.database)
    yield connection
    await connection.close()


async def set_maps(owner: Any, tenant: str, **maps: Any) -> None:
    await owner.execute(
        "INSERT INTO label_maps (tenant, maps, reason, by) VALUES ($1, $2, 'test', 'test')",
        *(tenant, json.dumps(maps)),
    )


async def test_calls_of_both_tools_are_taken_in_both_encodings_and_answered_as_they_were_sent(
    door: Ingest,
) -> None:
    session, conversation = f"s-{uuid4()}", f"c-{uuid4()}"
    packed = post(
        door,
        "logs",
        logs(api_request(**{"session.id": session}, request_id=str(uuid4())), resource=CLAUDE_RESOURCE),
    )
    assert (packed.status_code, packed.headers["content-type"]) == (200, PROTOBUF)
    assert not ExportLogsServiceResponse.FromString(packed.content).HasField("partial_success")
    bad = sse_event(**{"conversation.id": conversation}, input_token_count="many")
    good = sse_event(**{"conversation.id": conversation})
    plain = post(door, "logs", in_json(logs(bad, good, resource=CODEX_RESOURCE)))
    assert plain.status_code == 200
    assert plain.json() == {
        "partialSuccess": {
            "rejectedLogRecords": "1",
            "errorMessage": "item 0: input_token_count must be a whole number of at least 0",
        }
    }
    found = {event.data.labels.agent: event for event in await events(door, session, conversation)}
    assert found.keys() == {"claude-code", "codex"}
    assert {event.tenant for event in found.values()} == {"acme"}
    assert found["codex"].data.usage["cache_read_tokens"] == 8192
    assert found["claude-code"].data.labels.user.startswith(PREFIX)


async def test_what_an_exporter_sends_again_is_under_the_same_identity(door: Ingest) -> None:
    session = f"s-{uuid4()}"
    none = {"session.id": session, "request_id": None}
    request = logs(api_request(1, **none), api_request(2, **none), resource=CLAUDE_RESOURCE)
    for _ in range(2):
        assert post(door, "logs", request).status_code == 200
    ids = [(event.source, event.id) for event in await events(door, session)]
    assert len(ids) == 4 and len(set(ids)) == 2


async def test_outcomes_and_time_at_work_are_taken_and_a_count_from_the_beginning_is_rejected(
    door: Ingest,
) -> None:
    session = f"s-{uuid4()}"
    of_session = {"session.id": session}
    answer = post(
        door,
        "metrics",
        metrics(
            counted("claude_code.commit.count", point(5, **of_session), temporality=CUMULATIVE),
            counted("claude_code.active_time.total", point(9.5, type="user", **of_session)),
            counted("claude_code.pull_request.count", point(1, **of_session)),
            resource=CLAUDE_RESOURCE,
        ),
    )
    said = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert said.rejected_data_points == 1
    assert "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta" in said.error_message
    (event,) = await events(door, session)
    assert (event.data.cost_class, event.data.sku) == ("labour", "active-time-person")
    kept = [
        read_outcome(each.value)
        for each in await records_of(door.kafka, door.prefix + USAGE_OUTCOMES.name, partitions=1)
    ]
    (outcome,) = [each for each in kept if each.data.labels.run == session]
    assert (outcome.tenant, outcome.data.name, outcome.data.count) == ("acme", "pull_request", 1)
    assert outcome.data.labels.user == event.data.labels.user
    assert outcome.data.labels.user.startswith(PREFIX)


async def test_a_tenants_map_counts_within_seconds_and_an_operators_key_sends_for_whom_it_names(
    door: Ingest, owner: Any
) -> None:
    """The header names one tenant for all; without it, the operator's map finds one for each process."""
    team = {"attribute": "organization.id", "label": "team", "values": {"org-1": "platform"}}
    await set_maps(owner, "globex", labels=[team])
    namespace = {"attribute": "service.namespace", "label": "tenant", "values": {"g": "globex"}}
    await set_maps(owner, "*", labels=[namespace])
    sessions: list[str] = []

    def sent(**headers: str) -> httpx.Response:
        sessions.append(f"s-{uuid4()}")
        resource = CLAUDE_RESOURCE | {"service.namespace": "g"}
        record = api_request(**{"session.id": sessions[-1]}, request_id=str(uuid4()))
        return post(door, "logs", logs(record, resource=resource), key="operator", **headers)

    async def mapped() -> bool:
        assert sent().status_code == 200
        return [event.data.labels.team for event in await events(door, sessions[-1])] == ["platform"]

    await until(mapped, "the maps to count", within_s=MAPS_S_MAX, every_s=0.5)
    assert sent(**{"X-Spendmeter-Tenant": "acme"}).status_code == 200
    (of_acme,) = await events(door, sessions[-1])
    assert (of_acme.tenant, of_acme.data.labels.team) == ("acme", "")
    (of_globex,) = await events(door, sessions[-2])
    assert of_globex.tenant == "globex"
    refused = sent(**{"X-Spendmeter-Tenant": "nobody"})
    assert refused.status_code == 403
    record = logs(api_request(), resource=CLAUDE_RESOURCE)
    assert post(door, "logs", record, **{"X-Spendmeter-Tenant": "globex"}).status_code == 403


async def test_a_process_that_no_tenant_owns_is_rejected_beside_others(door: Ingest) -> None:
    answer = post(
        door, "logs", in_json(logs(api_request(), resource={"service.name": "claude-code"})), key="operator"
    )
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert "tenant" in answer.json()["partialSuccess"]["errorMessage"]


async def test_nothing_that_anybody_wrote_is_on_the_topic_or_in_the_log(door: Ingest) -> None:
    canary, session = f"canary{uuid4().hex}", f"s-{uuid4()}"
    loose = dict.fromkeys(("prompt", "response", "body", "tool_input", "error", "output"), canary)
    records = [
        api_request(**loose, **{"session.id": session}, request_id=str(uuid4())),
        api_request(**loose, input_tokens=canary),
        {"body": {"string_value": canary}, "attributes": {"event.name": canary}},
    ]
    resource = CLAUDE_RESOURCE | {"process.command_args": canary}
    assert post(door, "logs", logs(*records, resource=resource)).status_code == 200
    broken = post(door, "logs", canary.encode())
    assert broken.status_code == 400 and canary not in broken.text
    assert len(await events(door, session)) == 1
    written = [record.value + (record.key or b"") for record in await records_of(door.kafka, door.topic)]
    assert canary.encode() not in b"".join(written) + Path(door.log).read_bytes()


async def test_a_stranger_is_answered_as_otlp_answers(door: Ingest) -> None:
    answer = httpx.post(f"{door.url}/v1/logs", content=b"{}", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, 16)
