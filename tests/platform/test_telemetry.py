"""Telemetry: one list of names, logs by allow-list, traces that survive a Kafka header."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from spendmeter.platform.telemetry import METRICS, span_context

ROOT = Path(__file__).parents[2]
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_every_metric_that_the_code_records_is_listed_and_every_listed_one_is_recorded() -> None:
    used = {
        name
        for folder in ("services", "spendmeter")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r'"(spendmeter\.[a-z_.]+)"', path.read_text("utf-8"))
    }
    recorded = {name for name in used if name in METRICS}
    assert recorded == set(METRICS), "listed in metrics.toml and never recorded"


def test_every_metric_says_what_it_counts_and_what_to_do() -> None:
    for name, metric in METRICS.items():
        assert metric.keys() == {"kind", "unit", "about", "watch"}, name
        assert metric["kind"] in {"counter", "gauge", "histogram"}, name


def test_a_log_line_has_only_allowed_fields() -> None:
    script = (
        "from spendmeter.platform.settings import Settings\n"
        "from spendmeter.platform.telemetry import log, start_telemetry\n"
        "start_telemetry('test', Settings())\n"
        "log().warning('it happened', partition=3, prompt='CANARY', api_key='CANARY')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    line = json.loads(done.stdout)
    assert (line["event"], line["partition"], line["service"]) == ("it happened", 3, "test")
    assert "CANARY" not in done.stdout


def test_a_sampled_traceparent_in_a_header_becomes_a_span_context() -> None:
    found = span_context([("traceparent", SAMPLED.encode())])
    assert found is not None
    assert f"{found.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_an_unsampled_or_broken_traceparent_is_none() -> None:
    assert span_context([("traceparent", SAMPLED[:-1].encode() + b"0")]) is None
    assert span_context([("traceparent", b"\xff\xfe rubbish")]) is None
    assert span_context([]) is None
