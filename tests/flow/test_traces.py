"""One trace from the application's call to the booked entry, exported over OTLP."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import httpx

from spendmeter.platform.telemetry import METRICS
from tests.flow.otlp import Otlp
from tests.flow.system import System, eventually, usage_event

MONEY_PATH = {"spendmeter-ingest", "spendmeter-rating", "spendmeter-ledger"}


def test_a_sampled_call_is_one_trace_through_ingest_rating_and_ledger(system: System, otlp: Otlp) -> None:
    trace_id = uuid4().hex
    answer = httpx.post(
        f"{system.ingest}/api/v1/events",
        content=json.dumps(usage_event(f"trace-{trace_id}")),
        headers={
            "Authorization": f"Bearer {system.keys['acme']}",
            "Content-Type": "application/cloudevents+json",
            "traceparent": f"00-{trace_id}-b7ad6b7169203331-01",
        },
    )
    assert answer.status_code == 204
    eventually("spans of the three services", lambda: otlp.services_of(trace_id) >= MONEY_PATH)
    eventually(
        "batch spans with links",
        lambda: otlp.linked_from(trace_id) >= {"spendmeter-rating", "spendmeter-ledger"},
    )


def test_every_service_serves_the_metrics_that_are_listed_and_no_others(system: System) -> None:
    system.send(usage_event(f"metrics-{uuid4()}"))
    listed = {name.replace(".", "_") for name in METRICS}
    for service in ("ingest", "rating", "ledger", "alerts", "api"):
        port = system.process(service).port
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        ours = set(re.findall(r"^# TYPE (spendmeter_\w+) ", text, re.MULTILINE))
        assert ours, f"{service} has no metrics"
        for name in ours:
            assert any(name.startswith(known) for known in listed), f"{service}: {name} is not listed"
