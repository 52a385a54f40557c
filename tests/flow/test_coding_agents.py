"""A session of a coding agent on a running system, sent by OpenTelemetry's own exporters: one run, to the cent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tests.flow.system import System, eventually
from tests.flow.test_terms import KEY_WITHIN_S, Newcomer
from tests.ingest.dialects.agents import CLAUDE_RESOURCE, api_request

MAPS_WITHIN_S = 30


@pytest.fixture
def newcomer(system: System) -> Iterator[Newcomer]:
    made = Newcomer(system)
    yield made
    made.api.close()


class Session:
    """Claude Code at work, so far as its exporters tell."""

    def __init__(self, newcomer: Newcomer) -> None:
        self.id = f"session-{uuid4()}"
        ingest = newcomer.system.ingest
        by = {"Authorization": str(newcomer.api.headers["Authorization"])}
        resource = Resource(CLAUDE_RESOURCE)
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{ingest}/v1/logs", headers=by))
        )
        delta = {Counter: AggregationTemporality.DELTA}
        exporter = OTLPMetricExporter(
            endpoint=f"{ingest}/v1/metrics", headers=by, preferred_temporality=delta
        )
        self._metrics = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource)
        self._meter = self._metrics.get_meter("com.anthropic.claude_code")

    def call(self, **attributes: Any) -> None:
        now = datetime.now(UTC).isoformat()
        said = api_request(**{"session.id": self.id, "event.timestamp": now}, **attributes)["attributes"]
        logger = self._logs.get_logger("com.anthropic.claude_code.events")
        logger.emit(LogRecord(timestamp=time.time_ns(), body="claude_code.api_request", attributes=said))

    def count(self, metric: str, value: float, **attributes: str) -> None:
        self._meter.create_counter(metric).add(value, {"session.id": self.id, **attributes})

    def end(self) -> None:
        """Everything is sent."""
        self._logs.shutdown()
        self._metrics.shutdown()


def test_a_session_is_a_run_with_its_money_its_time_and_what_came_of_it(
    system: System, newcomer: Newcomer
) -> None:
    rule = ("organization.id", "team", "--value", "org-1=platform", "--reason", "theirs")
    system.cli("maps", "add", *rule, "--tenant", newcomer.name)
    warm_up = {"content": b"{}", "headers": {"Content-Type": "application/json"}}
    url = f"{system.ingest}/v1/logs"
    eventually("the key", lambda: newcomer.api.post(url, **warm_up).is_success, KEY_WITHIN_S, every_s=0.5)

    def mapped() -> bool:
        probe = Session(newcomer)
        probe.call(
            request_id=None, input_tokens=0, output_tokens=0, cache_read_tokens=0, cache_creation_tokens=0
        )
        probe.end()
        eventually(
            "the probe is booked", lambda: newcomer.get("/v1/events", **{"filter.agent": "claude-code"})
        )
        return bool(newcomer.get("/v1/spend", group_by="team", **{"filter.team": "platform"})["totals"])

    eventually("the map counts", mapped, MAPS_WITHIN_S, every_s=2)

    session = Session(newcomer)
    session.call(request_id=None)  # 5 x 3 + 128,955 x 0.30 + 1,253 x 3.75 + 10 x 15 = 0.04355025
    session.call(
        request_id=None, cache_read_tokens=0, cache_creation_tokens=0, **{"event.sequence": 8}
    )  # 0.000165
    session.count("claude_code.commit.count", 2)
    session.count("claude_code.cost.usage", 99.5)
    session.count("claude_code.active_time.total", 37.284, type="user")
    session.end()

    def receipt() -> Any:
        answer = newcomer.api.get("/v1/runs", params={"run": session.id})
        found = answer.json() if answer.is_success else {"by_class": [], "outcomes": []}
        events = sum(row["events"] for row in found["by_class"])
        return found if events == 3 and found["outcomes"] else None

    found = eventually("the run is booked, and its outcome known", receipt)
    assert [row["effective"] for row in found["costs"]] == ["0.04371525"]
    assert {row["cost_class"]: row["effective"] for row in found["by_class"]} == {
        "model": "0.04371525",
        "labour": "0",
    }
    assert [(row["name"], row["stated"]) for row in found["outcomes"]] == [("commit", 2)]
    assert [row["cost_per_outcome"] for row in found["outcomes"]] == ["0.021857625"]
    (team,) = newcomer.get("/v1/spend", group_by="agent", **{"filter.team": "platform"})["totals"]
    assert (team["agent"], team["effective"]) == ("claude-code", "0.04371525")
